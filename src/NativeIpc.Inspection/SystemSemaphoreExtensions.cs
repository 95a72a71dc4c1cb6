using NativeIpc.Contracts;
using NativeIpc.Errors;

namespace NativeIpc.Inspection;

/// <summary>Opens semaphores as <see cref="IpcObjects"/> listed them, also those that no key leads to:
/// <c>SystemSemaphore.OpenListed(found)</c>.</summary>
public static class SystemSemaphoreExtensions
{
    extension(SystemSemaphore)
    {
        /// <summary>Opens a semaphore that was listed, also one that no key leads to: System V sets that were made with
        /// <c>IPC_PRIVATE</c>, with a plain number, or whose key file is gone.</summary>
        /// <remarks>Where a key leads to it, this is <see cref="SystemSemaphore.OpenExisting"/> of that key, but for
        /// the comparison. Without one, letting go never removes it, and <see cref="SystemSemaphore.Key"/> is what
        /// failures call it. Of a set only member 0 is used. Follows <c>semop(2)</c>.</remarks>
        /// <param name="found">The semaphore, as <see cref="IpcObjects"/> listed it.</param>
        /// <param name="options">Removal, undo, owners; null for the defaults.</param>
        /// <returns>The semaphore.</returns>
        /// <exception cref="ArgumentNullException"><paramref name="found"/> is null.</exception>
        /// <exception cref="ArgumentException"><paramref name="found"/> is no semaphore; the options hold a value that
        /// has no meaning.</exception>
        /// <exception cref="NativeIpcException">NotFound, also when another object has its name by now;
        /// PermissionDenied; OutOfResources; LockError; KeyError for a POSIX file with a name that no key can
        /// have.</exception>
        public static SystemSemaphore OpenListed(IpcObjectInfo found, SystemSemaphoreOptions? options = null)
        {
            ArgumentNullException.ThrowIfNull(found);
            if (found.Kind != IpcObjectKind.SystemSemaphore)
                throw new ArgumentException("It is no semaphore.", nameof(found));
            options = SystemSemaphore.Checked(found.NamingKey, options);
            if (!found.Key.IsValid)
            {
                SemaphoreObject listed = Catalogs.Of(found.Type).OpenSemaphore(found, options);
                return new SystemSemaphore(listed, options);
            }

            SystemSemaphore opened = SystemSemaphore.OpenExisting(found.Key, options);
            if (IpcObjects.IsStill(found)) return opened;
            opened.Dispose();
            throw Failure.NotTheListed("open the semaphore", found.Key);
        }
    }
}
