// Every suite, run by every back end. The traits are the filters of the steps of test.sh: Needs=Windows runs on Windows
// or Wine, Calls=plain in a process with NATIVEIPC_PLAIN_POSIX=1, Waits=portable and Waits=waitv once more with
// NATIVEIPC_PORTABLE_WAITS=1 and NATIVEIPC_NO_IO_URING=1.
using Xunit;

namespace NativeIpc.Conformance.Posix
{
    public sealed class SegmentTests : SegmentTests<PosixProvider>;

    public sealed class CostTests : CostTests<PosixProvider>;

    public sealed class ViewTests : ViewTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class AnyTests : AnyTests<PosixProvider>;

    [Trait("Waits", "waitv")]
    public sealed class AnyEventTests : AnyEventTests<PosixProvider>;

    public sealed class WordWaitTests : WordWaitTests<PosixProvider>;

    public sealed class AllocationTests : AllocationTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class DisposedTests : DisposedTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class LockTests : LockTests<PosixProvider>;

    public sealed class DescriptionTests : DescriptionTests<PosixProvider>;

    [Trait("Waits", "portable")]
    public sealed class PermitTests : PermitTests<PosixProvider>;

    [Trait("Waits", "portable")]
    public sealed class MaximumCountTests : MaximumCountTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class SemaphoreTests : SemaphoreTests<PosixProvider>;

    public sealed class ActivityTests : ActivityTests<PosixProvider>;

    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<PosixProvider>;

    public sealed class ReplacedEventTests : ReplacedEventTests<PosixProvider>;

    public sealed class LifetimeTests : LifetimeTests<PosixProvider>;

    public sealed class CrashTests : CrashTests<PosixProvider>;

    [Trait("Waits", "portable")]
    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class WaitTests : WaitTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class PendingTests : PendingTests<PosixProvider>;

    public sealed class WallClockTests : WallClockTests<PosixProvider>;

    public sealed class DeathPointTests : DeathPointTests<PosixProvider>;

    public sealed class PermitRecordTests : PermitRecordTests<PosixProvider>;

    public sealed class SharedMaximumTests : SharedMaximumTests<PosixProvider>;

    public sealed class AbandonTests : AbandonTests<PosixProvider>;

    public sealed class RemoveIfUnusedTests : RemoveIfUnusedTests<PosixProvider>;

    public sealed class StepAsideTests : StepAsideTests<PosixProvider>;

    public sealed class FastPathTests : FastPathTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class DisposeRaceTests : DisposeRaceTests<PosixProvider>;

    public sealed class RaceTests : RaceTests<PosixProvider>;

    public sealed class ListingTests : ListingTests<PosixProvider>;

    public sealed class OrphanedTests : OrphanedTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class EventTests : EventTests<PosixProvider>;

    [Trait("Waits", "portable")]
    [Trait("Waits", "waitv")]
    public sealed class EventRaceTests : EventRaceTests<PosixProvider>;

    public sealed class EventDeathTests : EventDeathTests<PosixProvider>;
}

namespace NativeIpc.Conformance.PlainPosix
{
    [Trait("Calls", "plain")]
    public sealed class SegmentTests : SegmentTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class CostTests : CostTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class ViewTests : ViewTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class AnyTests : AnyTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class WordWaitTests : WordWaitTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class AllocationTests : AllocationTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class DisposedTests : DisposedTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class LockTests : LockTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class DescriptionTests : DescriptionTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class PermitTests : PermitTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class MaximumCountTests : MaximumCountTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class SemaphoreTests : SemaphoreTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class ActivityTests : ActivityTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class LifetimeTests : LifetimeTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class CrashTests : CrashTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class WaitTests : WaitTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class PendingTests : PendingTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class WallClockTests : WallClockTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class DisposeRaceTests : DisposeRaceTests<PlainPosixProvider>;

    [Trait("Calls", "plain")]
    public sealed class RaceTests : RaceTests<PlainPosixProvider>;
}

namespace NativeIpc.Conformance.SystemV
{
    public sealed class SegmentTests : SegmentTests<SystemVProvider>;

    public sealed class CostTests : CostTests<SystemVProvider>;

    public sealed class ViewTests : ViewTests<SystemVProvider>;

    public sealed class AnyTests : AnyTests<SystemVProvider>;

    public sealed class AnyEventTests : AnyEventTests<SystemVProvider>;

    public sealed class WordWaitTests : WordWaitTests<SystemVProvider>;

    public sealed class AllocationTests : AllocationTests<SystemVProvider>;

    public sealed class DisposedTests : DisposedTests<SystemVProvider>;

    public sealed class LockTests : LockTests<SystemVProvider>;

    public sealed class DescriptionTests : DescriptionTests<SystemVProvider>;

    public sealed class PermitTests : PermitTests<SystemVProvider>;

    public sealed class MaximumCountTests : MaximumCountTests<SystemVProvider>;

    public sealed class SemaphoreTests : SemaphoreTests<SystemVProvider>;

    public sealed class ActivityTests : ActivityTests<SystemVProvider>;

    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<SystemVProvider>;

    public sealed class ReplacedEventTests : ReplacedEventTests<SystemVProvider>;

    public sealed class UndoTests : UndoTests<SystemVProvider>;

    public sealed class ListingTests : ListingTests<SystemVProvider>;

    public sealed class OrphanedTests : OrphanedTests<SystemVProvider>;

    public sealed class AbandonedTests : SystemVAbandonedTests<SystemVProvider>;

    public sealed class GlanceTests : SystemVGlanceTests<SystemVProvider>;

    public sealed class FileLockTests : SystemVFileLockTests<SystemVProvider>;

    public sealed class OwnershipTests : SystemVOwnershipTests<SystemVProvider>;

    public sealed class LifetimeTests : LifetimeTests<SystemVProvider>;

    public sealed class CrashTests : CrashTests<SystemVProvider>;

    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<SystemVProvider>;

    public sealed class WaitTests : WaitTests<SystemVProvider>;

    public sealed class PendingTests : PendingTests<SystemVProvider>;

    public sealed class WallClockTests : WallClockTests<SystemVProvider>;

    public sealed class CrashedHolderTests : CrashedHolderTests<SystemVProvider>;

    public sealed class FastPathTests : FastPathTests<SystemVProvider>;

    public sealed class DisposeRaceTests : DisposeRaceTests<SystemVProvider>;

    public sealed class RaceTests : RaceTests<SystemVProvider>;

    public sealed class EventTests : EventTests<SystemVProvider>;

    public sealed class EventRaceTests : EventRaceTests<SystemVProvider>;

    public sealed class EventDeathTests : EventDeathTests<SystemVProvider>;
}

namespace NativeIpc.Conformance.SystemV84
{
    public sealed class SegmentTests : SegmentTests<SystemV84Provider>;

    public sealed class CostTests : CostTests<SystemV84Provider>;

    public sealed class ViewTests : ViewTests<SystemV84Provider>;

    public sealed class DisposedTests : DisposedTests<SystemV84Provider>;

    public sealed class LockTests : LockTests<SystemV84Provider>;

    public sealed class DescriptionTests : DescriptionTests<SystemV84Provider>;

    public sealed class PermitTests : PermitTests<SystemV84Provider>;

    public sealed class MaximumCountTests : MaximumCountTests<SystemV84Provider>;

    public sealed class SemaphoreTests : SemaphoreTests<SystemV84Provider>;

    public sealed class ActivityTests : ActivityTests<SystemV84Provider>;

    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<SystemV84Provider>;

    public sealed class ReplacedEventTests : ReplacedEventTests<SystemV84Provider>;

    public sealed class UndoTests : UndoTests<SystemV84Provider>;

    public sealed class AbandonedTests : SystemVAbandonedTests<SystemV84Provider>;

    public sealed class OwnershipTests : SystemVOwnershipTests<SystemV84Provider>;

    public sealed class LifetimeTests : LifetimeTests<SystemV84Provider>;

    public sealed class CrashTests : CrashTests<SystemV84Provider>;

    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<SystemV84Provider>;

    public sealed class WaitTests : WaitTests<SystemV84Provider>;

    public sealed class PendingTests : PendingTests<SystemV84Provider>;

    public sealed class DisposeRaceTests : DisposeRaceTests<SystemV84Provider>;

    public sealed class RaceTests : RaceTests<SystemV84Provider>;

    public sealed class EventTests : EventTests<SystemV84Provider>;

    public sealed class EventRaceTests : EventRaceTests<SystemV84Provider>;
}

namespace NativeIpc.Conformance.Windows
{
    [Trait("Needs", "Windows")]
    public sealed class SegmentTests : SegmentTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class CostTests : CostTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class ViewTests : ViewTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class AnyTests : AnyTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class AnyEventTests : AnyEventTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class DisposedTests : DisposedTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class LockTests : LockTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class DescriptionTests : DescriptionTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class PermitTests : PermitTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class MaximumCountTests : MaximumCountTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class SemaphoreTests : SemaphoreTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class ActivityTests : ActivityTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class ReplacedEventTests : ReplacedEventTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class LifetimeTests : LifetimeTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class CrashTests : CrashTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class WaitTests : WaitTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class PendingTests : PendingTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class DeathPointTests : WindowsDeathPointTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class DisposeRaceTests : DisposeRaceTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class RaceTests : RaceTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class EventTests : EventTests<WindowsProvider>;

    [Trait("Needs", "Windows")]
    public sealed class EventRaceTests : EventRaceTests<WindowsProvider>;
}
