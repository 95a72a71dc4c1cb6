using System.ComponentModel;
using System.Text;

namespace NativeIpc.Channels;

public static partial class SharedLayouts
{
    /// <summary>Reads a fixed text, for generated code: UTF-8 up to the first zero byte. Thread-safe.</summary>
    /// <param name="bytes">All its bytes.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public static string ReadText(ReadOnlySpan<byte> bytes)
    {
        // A copy, since another process may write the bytes meanwhile: the decoder reads each of them more than once.
        Span<byte> copy = bytes.Length <= 512 ? stackalloc byte[bytes.Length] : new byte[bytes.Length];
        bytes.CopyTo(copy);
        int end = copy.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? copy : copy[..end]);
    }

    /// <summary>Writes a fixed text, for generated code, and zero behind it.</summary>
    /// <param name="bytes">All its bytes.</param>
    /// <param name="text">The text.</param>
    /// <returns>False when it does not fit or has a zero character: then nothing was written.</returns>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public static bool TryWriteText(Span<byte> bytes, ReadOnlySpan<char> text)
    {
        if (text.Contains('\0') || Encoding.UTF8.GetByteCount(text) > bytes.Length) return false;
        int written = Encoding.UTF8.GetBytes(text, bytes);
        bytes[written..].Clear();
        return true;
    }
}
