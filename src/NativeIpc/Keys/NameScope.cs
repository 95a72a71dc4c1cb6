namespace NativeIpc;

/// <summary>Who meets under a name: the scope of a key that
/// <see cref="SharedMemory.PlatformSafeKey(string, NameScope, NativeIpcKeyType)"/> and its like make. A name in one
/// scope is another object than the same name in another one.</summary>
/// <remarks>
/// <para>The scope is in the native key, so it travels with the text of the key, and programs in other languages can
/// use it. UID stands for the number of the user, SID for that of the session, RUNTIME for the runtime folder (as
/// <c>XDG_RUNTIME_DIR</c>) and SecurityId for the user's security identifier.</para>
/// <code>
///          posix         systemv               windows
/// Machine  /NAME         /tmp/~m.NAME          Global\shm_NAME
/// User     /~UID.NAME    RUNTIME/~UID.NAME     Global\shm_~SecurityId.NAME
/// Session  /~sSID.NAME   /tmp/~sSID.NAME       Local\shm_NAME
/// </code>
/// <para><c>shm_</c> is of segments; semaphores have <c>sem_</c>, events <c>event_</c>. The key of the machine's scope
/// of type POSIX is the one that <see cref="SharedMemory.PlatformSafeKey(string)"/> and Qt make.</para>
/// <para>Containers have a <c>/dev/shm</c> of their own, and often numbers of users and sessions of their own: what
/// shares the first and not the others meets under other keys.</para>
/// </remarks>
public enum NameScope
{
    /// <summary>Every process of the machine. Objects of other users are refused unless <c>AllowOtherOwners</c> says
    /// otherwise; the error says whose they are. On Windows making a segment there takes the right
    /// SeCreateGlobalPrivilege, which services and administrators have.</summary>
    Machine = 0,

    /// <summary>The processes of one user, in all sessions. The owner of what is there is always verified, also with
    /// <c>AllowOtherOwners</c>: this user or root, and never the number that stands for all users that a user namespace
    /// does not map. Another user's process that is given such a key is refused; on Unix it may use it with
    /// <c>AllowOtherOwners</c>. On Windows objects get an access control list for this user alone, unless a security
    /// descriptor is given.</summary>
    User = 1,

    /// <summary>The processes of one session: on Unix that of <c>getsid(2)</c>, in which a shell and what it starts
    /// are; on Windows that of a logon. Numbers of Unix sessions are used again: what a session leaves, a later one may
    /// meet.</summary>
    Session = 2,
}
