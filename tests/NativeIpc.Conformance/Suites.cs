// Every suite, run by every back end. The namespace is the filter: -namespace NativeIpc.Conformance.PlainPosix
namespace NativeIpc.Conformance.Posix
{
    public sealed class SegmentTests : SegmentTests<PosixProvider>;

    public sealed class CostTests : CostTests<PosixProvider>;

    public sealed class ViewTests : ViewTests<PosixProvider>;

    public sealed class AllocationTests : AllocationTests<PosixProvider>;

    public sealed class DisposedTests : DisposedTests<PosixProvider>;

    public sealed class LockTests : LockTests<PosixProvider>;

    public sealed class DescriptionTests : DescriptionTests<PosixProvider>;

    public sealed class PermitTests : PermitTests<PosixProvider>;

    public sealed class MaximumCountTests : MaximumCountTests<PosixProvider>;

    public sealed class SemaphoreTests : SemaphoreTests<PosixProvider>;

    public sealed class ActivityTests : ActivityTests<PosixProvider>;

    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<PosixProvider>;

    public sealed class LifetimeTests : LifetimeTests<PosixProvider>;

    public sealed class CrashTests : CrashTests<PosixProvider>;

    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<PosixProvider>;

    public sealed class WaitTests : WaitTests<PosixProvider>;

    public sealed class PendingTests : PendingTests<PosixProvider>;

    public sealed class WallClockTests : WallClockTests<PosixProvider>;

    public sealed class DeathPointTests : DeathPointTests<PosixProvider>;

    public sealed class PermitRecordTests : PermitRecordTests<PosixProvider>;

    public sealed class StepAsideTests : StepAsideTests<PosixProvider>;

    public sealed class DirectStepTests : DirectStepTests<PosixProvider>;

    public sealed class DisposeRaceTests : DisposeRaceTests<PosixProvider>;

    public sealed class RaceTests : RaceTests<PosixProvider>;

    public sealed class ListingTests : ListingTests<PosixProvider>;

    public sealed class OrphanedTests : OrphanedTests<PosixProvider>;
}

namespace NativeIpc.Conformance.PlainPosix
{
    public sealed class SegmentTests : SegmentTests<PlainPosixProvider>;

    public sealed class CostTests : CostTests<PlainPosixProvider>;

    public sealed class ViewTests : ViewTests<PlainPosixProvider>;

    public sealed class AllocationTests : AllocationTests<PlainPosixProvider>;

    public sealed class DisposedTests : DisposedTests<PlainPosixProvider>;

    public sealed class LockTests : LockTests<PlainPosixProvider>;

    public sealed class DescriptionTests : DescriptionTests<PlainPosixProvider>;

    public sealed class PermitTests : PermitTests<PlainPosixProvider>;

    public sealed class MaximumCountTests : MaximumCountTests<PlainPosixProvider>;

    public sealed class SemaphoreTests : SemaphoreTests<PlainPosixProvider>;

    public sealed class ActivityTests : ActivityTests<PlainPosixProvider>;

    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<PlainPosixProvider>;

    public sealed class LifetimeTests : LifetimeTests<PlainPosixProvider>;

    public sealed class CrashTests : CrashTests<PlainPosixProvider>;

    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<PlainPosixProvider>;

    public sealed class WaitTests : WaitTests<PlainPosixProvider>;

    public sealed class PendingTests : PendingTests<PlainPosixProvider>;

    public sealed class WallClockTests : WallClockTests<PlainPosixProvider>;

    public sealed class DisposeRaceTests : DisposeRaceTests<PlainPosixProvider>;

    public sealed class RaceTests : RaceTests<PlainPosixProvider>;
}

namespace NativeIpc.Conformance.SystemV
{
    public sealed class SegmentTests : SegmentTests<SystemVProvider>;

    public sealed class CostTests : CostTests<SystemVProvider>;

    public sealed class ViewTests : ViewTests<SystemVProvider>;

    public sealed class AllocationTests : AllocationTests<SystemVProvider>;

    public sealed class DisposedTests : DisposedTests<SystemVProvider>;

    public sealed class LockTests : LockTests<SystemVProvider>;

    public sealed class DescriptionTests : DescriptionTests<SystemVProvider>;

    public sealed class PermitTests : PermitTests<SystemVProvider>;

    public sealed class MaximumCountTests : MaximumCountTests<SystemVProvider>;

    public sealed class SemaphoreTests : SemaphoreTests<SystemVProvider>;

    public sealed class ActivityTests : ActivityTests<SystemVProvider>;

    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<SystemVProvider>;

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

    public sealed class DirectStepTests : DirectStepTests<SystemVProvider>;

    public sealed class DisposeRaceTests : DisposeRaceTests<SystemVProvider>;

    public sealed class RaceTests : RaceTests<SystemVProvider>;
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
}

namespace NativeIpc.Conformance.Windows
{
    public sealed class SegmentTests : SegmentTests<WindowsProvider>;

    public sealed class CostTests : CostTests<WindowsProvider>;

    public sealed class ViewTests : ViewTests<WindowsProvider>;

    public sealed class DisposedTests : DisposedTests<WindowsProvider>;

    public sealed class LockTests : LockTests<WindowsProvider>;

    public sealed class DescriptionTests : DescriptionTests<WindowsProvider>;

    public sealed class PermitTests : PermitTests<WindowsProvider>;

    public sealed class MaximumCountTests : MaximumCountTests<WindowsProvider>;

    public sealed class SemaphoreTests : SemaphoreTests<WindowsProvider>;

    public sealed class ActivityTests : ActivityTests<WindowsProvider>;

    public sealed class ReplacedSemaphoreTests : ReplacedSemaphoreTests<WindowsProvider>;

    public sealed class LifetimeTests : LifetimeTests<WindowsProvider>;

    public sealed class CrashTests : CrashTests<WindowsProvider>;

    public sealed class OwnershipOfAllTests : OwnershipOfAllTests<WindowsProvider>;

    public sealed class WaitTests : WaitTests<WindowsProvider>;

    public sealed class PendingTests : PendingTests<WindowsProvider>;

    public sealed class DeathPointTests : WindowsDeathPointTests<WindowsProvider>;

    public sealed class DisposeRaceTests : DisposeRaceTests<WindowsProvider>;

    public sealed class RaceTests : RaceTests<WindowsProvider>;
}
