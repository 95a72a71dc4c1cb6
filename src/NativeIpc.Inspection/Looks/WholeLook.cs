using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;

namespace NativeIpc.Inspection.Looks;

/// <summary>A look at the machine that tells everything or fails: with too few descriptors much of it would be left
/// out, and unknown is not no.</summary>
internal static class WholeLook
{
    /// <summary>Looks, on this thread.</summary>
    /// <param name="attempt">What is tried, to follow "Cannot".</param>
    /// <param name="look">The look, which notes what it had no descriptor for (<see cref="Shortage"/>).</param>
    /// <exception cref="NativeIpcException">OutOfResources: something could not be opened for want of a
    /// descriptor.</exception>
    internal static T Take<T>(string attempt, Func<T> look)
    {
        int before = Shortage.Reset();
        try
        {
            T found = look();
            return Shortage.Number == 0 ? found : throw Failed(attempt, null);
        }
        catch (Exception failure) when (Shortage.Number != 0
            && failure is PlatformNotSupportedException or UnauthorizedAccessException or IOException
            and not NativeIpcException)
        {
            throw Failed(attempt, failure);
        }
        finally
        {
            Shortage.Reset(before);
        }
    }

    private static NativeIpcException Failed(string attempt, Exception? cause)
    {
        const string call = "open";
        (NativeIpcError error, string remedy) = UnixErrors.Explain(call, Shortage.Number);
        return Failure.NotLooked(error, attempt, call, Shortage.Number, remedy, cause);
    }
}
