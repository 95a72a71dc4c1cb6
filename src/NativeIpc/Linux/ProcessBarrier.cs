using System.Runtime.Intrinsics.X86;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Linux;

/// <summary>Whether <see cref="Interlocked.MemoryBarrierProcessWide"/> reaches every thread.</summary>
/// <remarks>Without membarrier(2), which a filter may refuse, .NET changes the protection of a page instead. On x64 the
/// kernel then interrupts each processor that runs the process, which is a barrier; on arm64 the processors tell one
/// another without an interrupt.</remarks>
internal static class ProcessBarrier
{
    /// <summary>Whether it does not, so that each thread needs a barrier of its own.</summary>
    internal static bool IsMissing { get; }
        = !X86Base.IsSupported && OperatingSystem.IsLinux() && !Libc.HasProcessBarrier();
}
