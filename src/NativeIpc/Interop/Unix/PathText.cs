using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;
using System.Text;
using System.Text.Unicode;

namespace NativeIpc.Interop.Unix;

// Names as the kernel has them are bytes, and most are UTF-8. As strings they are here in a form that leads
// back to each: a byte that is no UTF-8 is a lone surrogate, U+DC80 to U+DCFF (as in Python, PEP 383), which no text
// gives.

internal static class PathText
{
    private const char First = '\uDC80';
    private const char Last = '\uDCFF';

    /// <summary>The string of a name, which <see cref="PathMarshaller"/> turns into the same bytes.</summary>
    internal static string Decode(ReadOnlySpan<byte> name)
    {
        if (Utf8.IsValid(name)) return Encoding.UTF8.GetString(name);
        var text = new StringBuilder(name.Length);
        while (!name.IsEmpty)
        {
            bool isRune = Rune.DecodeFromUtf8(name, out Rune rune, out int length) == OperationStatus.Done;
            if (isRune) text.Append(rune.ToString());
            else foreach (byte one in name[..length]) text.Append((char)(First - 0x80 + one));
            name = name[length..];
        }

        return text.ToString();
    }

    /// <summary>Whether a name is text: all of it is UTF-8.</summary>
    internal static bool IsText(string name) => IndexOfByte(name) < 0;

    /// <summary>A name for people: bytes that are no UTF-8 as <c>\xff</c>, and in a name that has such a byte each
    /// backslash twice, so that no two names look alike.</summary>
    internal static string Show(string name)
    {
        if (IsText(name)) return name;
        var text = new StringBuilder(name.Length + 16);
        for (ReadOnlySpan<char> rest = name; !rest.IsEmpty;)
        {
            int at = IndexOfByte(rest);
            text.Append(rest[..(at < 0 ? rest.Length : at)]).Replace("\\", "\\\\",
                text.Length - (at < 0 ? rest.Length : at), at < 0 ? rest.Length : at);
            if (at < 0) break;
            text.Append("\\x").Append(((byte)(rest[at] - First + 0x80)).ToString("x2",
                System.Globalization.CultureInfo.InvariantCulture));
            rest = rest[(at + 1)..];
        }

        return text.ToString();
    }

    /// <inheritdoc cref="Show(string)"/>
    internal static string Show(ReadOnlySpan<byte> name) => Show(Decode(name));

    /// <summary>The bytes of a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="bytes">Room for <see cref="MostBytes"/> of them.</param>
    /// <returns>How many there are.</returns>
    internal static int Encode(ReadOnlySpan<char> name, Span<byte> bytes)
    {
        int done = 0;
        while (true)
        {
            int at = IndexOfByte(name);
            done += Encoding.UTF8.GetBytes(at < 0 ? name : name[..at], bytes[done..]);
            if (at < 0) return done;
            bytes[done++] = (byte)(name[at] - First + 0x80);
            name = name[(at + 1)..];
        }
    }

    internal static int MostBytes(int characters) => Encoding.UTF8.GetMaxByteCount(characters);

    /// <summary>Where a byte stands that is no UTF-8; -1 for nowhere.</summary>
    private static int IndexOfByte(ReadOnlySpan<char> name)
    {
        for (int start = 0; ; start++)
        {
            int at = name[start..].IndexOfAnyInRange(First, Last);
            if (at < 0) return -1;
            start += at;
            if (start == 0 || !char.IsHighSurrogate(name[start - 1])) return start;
        }
    }
}

/// <summary>Hands a name to a call as the bytes that it was read from.</summary>
[CustomMarshaller(typeof(string), MarshalMode.ManagedToUnmanagedIn, typeof(ManagedToUnmanagedIn))]
internal static unsafe class PathMarshaller
{
    /// <summary>A path on the stack where it fits.</summary>
    internal ref struct ManagedToUnmanagedIn
    {
        private byte* _path;
        private bool _isAllocated;

        /// <summary>How much room the generated code gives.</summary>
        public static int BufferSize => 256;

        public void FromManaged(string? path, Span<byte> buffer)
        {
            _isAllocated = false;
            _path = null;
            if (path is null) return;
            int most = PathText.MostBytes(path.Length) + 1;
            if (most > buffer.Length)
            {
                _isAllocated = true;
                _path = (byte*)NativeMemory.Alloc((nuint)most);
                buffer = new Span<byte>(_path, most);
            }
            else
            {
                // On the stack
                _path = (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(
                    ref MemoryMarshal.GetReference(buffer));
            }

            buffer[PathText.Encode(path, buffer)] = 0;
        }

        public readonly byte* ToUnmanaged() => _path;

        public readonly void Free()
        {
            if (_isAllocated) NativeMemory.Free(_path);
        }
    }
}
