using NativeIpc.Contracts;
using NativeIpc.Errors;

namespace NativeIpc.Inspection;

/// <summary>Opens segments as <see cref="IpcObjects"/> listed them, also those that no key leads to:
/// <c>SharedMemory.OpenListed(found)</c>.</summary>
public static class SharedMemoryExtensions
{
    extension(SharedMemory)
    {
        /// <summary>Attaches to a segment that was listed, also to one that no key leads to: System V segments that
        /// were made with <c>IPC_PRIVATE</c>, with a plain number, or whose key file is gone.</summary>
        /// <remarks>Where a key leads to it, this is <see cref="SharedMemory.OpenExisting"/> of that key, but for the
        /// comparison. Without one, letting go never removes it, <see cref="SharedMemory.Key"/> is what failures call
        /// it, and it has no lock, as if <see cref="SharedMemoryOptions.UseLock"/> were false. Follows
        /// <c>shmat(2)</c>.</remarks>
        /// <param name="found">The segment, as <see cref="IpcObjects"/> listed it.</param>
        /// <param name="access">Whether it may be written.</param>
        /// <param name="options">Removal, lock, owners; null for the defaults.</param>
        /// <returns>The segment.</returns>
        /// <exception cref="ArgumentNullException"><paramref name="found"/> is null.</exception>
        /// <exception cref="ArgumentException"><paramref name="found"/> is no segment; the options or
        /// <paramref name="access"/> hold a value that has no meaning.</exception>
        /// <exception cref="NativeIpcException">NotFound, also when another object has its name by now;
        /// PermissionDenied; OutOfResources; LockError; KeyError for a POSIX file with a name that no key can
        /// have.</exception>
        public static SharedMemory OpenListed(IpcObjectInfo found,
            SharedMemoryAccess access = SharedMemoryAccess.ReadWrite, SharedMemoryOptions? options = null)
        {
            ArgumentNullException.ThrowIfNull(found);
            if (found.Kind != IpcObjectKind.SharedMemory)
                throw new ArgumentException("It is no segment.", nameof(found));
            options = SharedMemory.Checked(found.Key, options, access);
            if (!found.Key.IsValid)
            {
                // What no key leads to never lets go by removing.
                Segment listed = Catalogs.Of(found.Type).OpenSegment(found, access, options);
                return new SharedMemory(listed, options with { UseLock = false, Removal = RemovalPolicy.Keep });
            }

            SharedMemory opened = SharedMemory.OpenExisting(found.Key, access, options);
            if (IpcObjects.IsStill(found)) return opened;
            opened.Dispose();
            throw Failure.NotTheListed("open the segment", found.Key);
        }
    }
}
