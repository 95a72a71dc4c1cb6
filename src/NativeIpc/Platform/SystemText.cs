using NativeIpc.Interop.Unix;

namespace NativeIpc.Platform;

/// <summary>Small files in which the system and its administrators say how it is set up.</summary>
/// <remarks>By system calls: for .NET's File and Directory a native program has streams, encodings, time zones and a
/// language of patterns, and the JIT loads their types.</remarks>
internal static class SystemText
{
    /// <summary>The first line; null when the file is missing, empty or not readable.</summary>
    internal static string? FirstLine(string path) => Lines(path) is [var first, ..] ? first : null;

    /// <summary>A file that has a name in it, and a line feed; null when it is missing or not readable.</summary>
    internal static string? Name(string path)
        => Libc.BytesOf(path, out _, int.MaxValue, out int length) is { } bytes
            ? PathText.Show(bytes.AsSpan(0, length).TrimEnd((byte)'\n')) : null;

    /// <summary>All of it; null when it is missing or not readable.</summary>
    internal static string? All(string path) => Libc.TextOf(path, out _, int.MaxValue);

    /// <summary>All lines; none when the file is missing or not readable.</summary>
    internal static string[] Lines(string path) => All(path) is { } text ? LinesOf(text) : [];

    /// <summary>The lines of a text.</summary>
    internal static string[] LinesOf(string text)
    {
        List<string> lines = [];
        for (int start = 0; start < text.Length;)
        {
            int end = text.IndexOf('\n', start);
            if (end < 0) end = text.Length;
            lines.Add(text[start..end]);
            start = end + 1;
        }

        return lines.ToArray();
    }

    /// <summary>What is in a folder; nothing when it is missing or not readable. Unix.</summary>
    internal static string[] Entries(string path)
    {
        if (!OperatingSystem.IsLinux()) return EntriesElsewhere(path);
        List<string> names = Libc.NamesIn(path, out _) ?? [];
        for (int i = 0; i < names.Count; i++) names[i] = $"{path}/{names[i]}";
        return names.ToArray();
    }

    // Not on Linux, where a native program would grow by what .NET needs to read a folder.
    private static string[] EntriesElsewhere(string path)
    {
        try
        {
            return Directory.GetFileSystemEntries(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The folders in a folder; none when it is missing or not readable. Linux.</summary>
    internal static string[] Folders(string path)
    {
        List<string> folders = [];
        foreach (string entry in Entries(path))
        {
            if (Libc.Status(entry, followLink: true, out FileStatus status) == 0 && status.IsDirectory)
                folders.Add(entry);
        }

        return folders.ToArray();
    }
}
