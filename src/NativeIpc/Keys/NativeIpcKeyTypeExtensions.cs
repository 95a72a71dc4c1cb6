namespace NativeIpc;

/// <summary>Helpers for the open range of System V key types, 1 to 255.</summary>
public static class NativeIpcKeyTypeExtensions
{
    extension(NativeIpcKeyType type)
    {
        /// <summary>Whether the type is System V: a value from 1 to 255, which is the <c>ftok</c> project id.</summary>
        public bool IsSystemV => (ushort)type is >= 1 and <= 255;

        /// <summary>The System V type whose objects are found with <c>ftok(path, projectId)</c>.</summary>
        /// <param name="projectId">The project id, 1 to 255; 81 ('Q') is
        /// <see cref="NativeIpcKeyType.SystemV"/>.</param>
        /// <returns>The key type with that value.</returns>
        /// <exception cref="ArgumentOutOfRangeException"><paramref name="projectId"/> is not in 1 to 255.</exception>
        public static NativeIpcKeyType FromProjectId(int projectId)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(projectId, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(projectId, 255);
            return (NativeIpcKeyType)projectId;
        }
    }
}
