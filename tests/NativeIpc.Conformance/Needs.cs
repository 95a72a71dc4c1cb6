using System.Runtime.CompilerServices;
using NativeIpc.Interop.Unix;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

namespace NativeIpc.Conformance;

/// <summary>What a back end must be, or the system must have, for a test to say anything about it. Where that is not
/// so, the test is not one of that back end's: it is not discovered.</summary>
[Flags]
public enum Needs
{
    Nothing = 0,

    /// <summary>POSIX, with or without the calls beyond the standard.</summary>
    Posix = 1,

    /// <summary>System V, with any project id.</summary>
    SystemV = 1 << 1,

    /// <summary>/dev/shm, inotify, other users, modes that can be read.</summary>
    Linux = 1 << 2,

    /// <summary>Signals that end a process.</summary>
    Signals = 1 << 3,

    /// <summary>Objects that outlive their processes, and that Remove removes.</summary>
    Leftovers = 1 << 4,

    /// <summary>Objects that the system removes with their last handle.</summary>
    NoLeftovers = 1 << 5,

    /// <summary>It is noticed when a name leads to another object.</summary>
    ComparedNames = 1 << 6,

    /// <summary>A lock for everyone who may read the segment. The plain calls cannot go beyond the umask: there it is
    /// for the owner only.</summary>
    LockModeBeyondUmask = 1 << 7,

    /// <summary>The count of a live semaphore can be set.</summary>
    SettableCount = 1 << 8,

    /// <summary>The count of a live semaphore cannot be set.</summary>
    FixedCount = 1 << 9,

    /// <summary>A semaphore cannot have all counts of an int.</summary>
    SmallMaximum = 1 << 10,

    /// <summary>
    /// A garbage collection that is asked for. Under Wine 8 the CLR dies in the first finalizers of this program
    /// ("Internal CLR error 0x80131506", in RunFinalizers; cause unknown).
    /// </summary>
    Finalizers = 1 << 11,

    /// <summary>A lock whose next holder is told when the last one was killed.</summary>
    Recovery = 1 << 12,

    /// <summary>The C library's POSIX semaphores are glibc's: permits are recorded, and waiters counted.</summary>
    GlibcSemaphores = 1 << 13,

    /// <summary>A semaphore has room for more than its count: it can be robust, share a maximum, record permits. musl's
    /// POSIX semaphores have none.</summary>
    RichSemaphores = 1 << 14,
}

/// <summary>A fact about the back ends that have what it needs.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer(typeof(BackendFactDiscoverer))]
public sealed class BackendFactAttribute(Needs needs, [CallerFilePath] string? file = null,
    [CallerLineNumber] int line = -1) : FactAttribute(file, line), IBackendTest
{
    public Needs Needs => needs;
}

/// <summary>A theory about the back ends that have what it needs.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer(typeof(BackendTheoryDiscoverer))]
public sealed class BackendTheoryAttribute(Needs needs, [CallerFilePath] string? file = null,
    [CallerLineNumber] int line = -1) : TheoryAttribute(file, line), IBackendTest
{
    public Needs Needs => needs;
}

internal interface IBackendTest
{
    Needs Needs { get; }

    /// <summary>Whether a test class, which is the suite of one back end, can have the test.</summary>
    static bool Belongs(IFactAttribute test, Type testClass)
    {
        Type? suite = testClass;
        while (suite is not null
            && !(suite.IsGenericType && suite.GetGenericTypeDefinition() == typeof(ConformanceTests<>)))
            suite = suite.BaseType;
        if (suite is null) throw new InvalidOperationException($"{testClass} is no suite of a back end.");
        var provider = (Provider)Activator.CreateInstance(suite.GenericTypeArguments[0])!;
        return provider.Gives.HasFlag(((IBackendTest)test).Needs);
    }
}

/// <summary>Finds no test where its needs are not met.</summary>
public sealed class BackendFactDiscoverer : FactDiscoverer
{
    public override async ValueTask<IReadOnlyCollection<IXunitTestCase>> Discover(
        ITestFrameworkDiscoveryOptions discoveryOptions, IXunitTestMethod testMethod, IFactAttribute factAttribute)
        => IBackendTest.Belongs(factAttribute, testMethod.TestClass.Class)
            ? await base.Discover(discoveryOptions, testMethod, factAttribute) : [];
}

/// <summary>Finds no test where its needs are not met.</summary>
public sealed class BackendTheoryDiscoverer : TheoryDiscoverer
{
    public override async ValueTask<IReadOnlyCollection<IXunitTestCase>> Discover(
        ITestFrameworkDiscoveryOptions discoveryOptions, IXunitTestMethod testMethod, IFactAttribute factAttribute)
        => IBackendTest.Belongs(factAttribute, testMethod.TestClass.Class)
            ? await base.Discover(discoveryOptions, testMethod, factAttribute) : [];
}
