using System.Diagnostics;
using System.IO.Pipes;

namespace NativeIpc.Yardstick;

/// <summary>System.IO.Pipes: named pipes of .NET, which are Unix domain sockets here.</summary>
internal static class Pipes
{
    public static void Run(string name)
    {
        string there = $"yard_there_{Environment.ProcessId}", back = $"yard_back_{Environment.ProcessId}";
        using NamedPipeServerStream toPipe = new(there, PipeDirection.Out);
        using NamedPipeServerStream fromPipe = new(back, PipeDirection.In);
        Moving.Run(name, (role, how) => Process.Start(new ProcessStartInfo(Environment.ProcessPath!,
            ["--child", "pipe-" + role, there, back, .. how]) { RedirectStandardOutput = true })!,
            () => Open(toPipe), () => Open(fromPipe));

        static Link Open(NamedPipeServerStream pipe)
        {
            pipe.WaitForConnection();
            return new Link(pipe);
        }
    }

    /// <summary>In the child: role, the names, and how.</summary>
    public static void Child(string role, string[] arguments)
    {
        using NamedPipeClientStream from = new(".", arguments[0], PipeDirection.In);
        using NamedPipeClientStream back = new(".", arguments[1], PipeDirection.Out);
        from.Connect();
        back.Connect();
        using Link receiver = new(from), sender = new(back);
        if (role == "answer") Moving.Answer(receiver, sender, arguments[2..]);
        else Moving.Drain(receiver, sender, arguments[2..]);
    }

    private readonly struct Link(Stream pipe) : Moving.ILink
    {
        private readonly byte[] _buffer = new byte[1 << 20];

        public void Send(ReadOnlySpan<byte> message) => pipe.Write(message);

        public ReadOnlySpan<byte> Receive(int size)
        {
            pipe.ReadExactly(_buffer, 0, size);
            return _buffer.AsSpan(0, size);
        }

        public bool TryReceive(out ReadOnlySpan<byte> message)
        {
            message = default;
            return false;
        }

        public void Received()
        {
            // It was copied.
        }

        public void Append(ReadOnlySpan<byte> message) => Send(message);

        public void Flush()
        {
            // Each was sent.
        }

        public Span<byte> Place(int size) => _buffer.AsSpan(0, size);

        public void Show() => pipe.Write(_buffer, 0, _buffer.Length);

        public void Dispose() => pipe.Dispose();
    }
}
