using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Names;

/// <summary>
/// Whether objects of one kind are made without a name, and get it when they are complete (O_TMPFILE and linkat(2)).
/// Where that is refused, the plain way is tried, and only its error is reported.
/// </summary>
/// <remarks>
/// A refusal (EACCES, EPERM) may be of this name only: AppArmor and SELinux judge by the path. So it is remembered only
/// after the plain way has worked for the same name; and <see cref="MostRefusals"/> in a row turn the better way off,
/// so that a program that makes many objects does not ask in vain for each one, while one whose names are of two kinds
/// goes on with both. A system that has no such thing (EOPNOTSUPP, EISDIR, EINVAL for O_TMPFILE, ENOENT for linkat
/// without /proc) says so for all names, and turns it off at once.
/// </remarks>
internal sealed class WholePublishing
{
    /// <summary>
    /// How many refusals in a row, each of a name for which the plain way worked, turn it off for the process.
    /// </summary>
    internal const int MostRefusals = 8;

    private volatile bool _isOn = PosixNames.s_areFiles;
    private volatile int _refusals;

    /// <summary>Whether it is tried.</summary>
    public bool IsOn => _isOn;

    /// <summary>The system has no such thing.</summary>
    public void TurnOff() => _isOn = false;

    /// <summary>It worked for a name.</summary>
    public void Worked()
    {
        if (_refusals != 0) _refusals = 0;
    }

    /// <summary>It was refused for a name for which the plain way has worked.</summary>
    public void WasRefused()
    {
        // R1 Race: two threads count at once. Safe because: a count that is lost costs one more try.
        if (++_refusals >= MostRefusals) _isOn = false;
    }

    /// <summary>What a failure of O_TMPFILE or linkat means.</summary>
    public static Verdict Of(int number, PublishingCall call) => number switch
    {
        Errno.EACCES or Errno.EPERM => Verdict.Refused,
        Errno.ENOENT => Verdict.Missing,
        Errno.EISDIR or Errno.EINVAL when call == PublishingCall.Open => Verdict.Missing,
        _ when number == Errno.EOPNOTSUPP || number == Errno.ENOSYS => Verdict.Missing,
        _ => Verdict.Failed,
    };

    /// <summary>What a failure of the better way means.</summary>
    internal enum Verdict
    {
        /// <summary>The plain way would fail as well.</summary>
        Failed,

        /// <summary>Something forbids it, here or everywhere.</summary>
        Refused,

        /// <summary>The system has no such thing.</summary>
        Missing,
    }
}

/// <summary>Which call of the better way failed: open(2) with O_TMPFILE, or linkat(2).</summary>
internal enum PublishingCall { Open, Link }
