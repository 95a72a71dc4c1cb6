using NativeIpc.Interop.Unix;

namespace NativeIpc.Platform;

/// <summary>Small files in which the system and its administrators say how it is set up.</summary>
internal static class SystemText
{
    /// <summary>The first line; null when the file is missing, empty or not readable.</summary>
    internal static string? FirstLine(string path) => Lines(path).FirstOrDefault();

    /// <summary>A file that has a name in it, and a line feed; null when it is missing or not readable.</summary>
    internal static string? Name(string path)
    {
        try
        {
            return PathText.Show(File.ReadAllBytes(path).AsSpan().TrimEnd((byte)'\n'));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            return null;
        }
    }

    /// <summary>All lines; none when the file is missing or not readable.</summary>
    internal static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            return [];
        }
    }

    /// <summary>What is in a folder; nothing when it is missing or not readable.</summary>
    internal static string[] Entries(string path)
    {
        try
        {
            return Directory.GetFileSystemEntries(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            return [];
        }
    }

    /// <summary>The folders in a folder; none when it is missing or not readable.</summary>
    internal static string[] Folders(string path)
    {
        try
        {
            return Directory.GetDirectories(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            return [];
        }
    }
}
