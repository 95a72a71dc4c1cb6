// Binds every option by .NET's generator, from texts as appsettings.json has them, and uses what came out; or runs a
// host (Hosted.cs). One line per check.
using System.Globalization;
using Microsoft.Extensions.Configuration;
using NativeIpc;
using NativeIpc.Configuration;
using NativeIpc.Inspection;

if (args is ["host"])
{
    await Hosted.Run();
    return 0;
}

string name = string.Create(CultureInfo.InvariantCulture, $"aot-configuration-{Environment.ProcessId}");
NativeIpcKey key = SystemSemaphore.PlatformSafeKey(name);
IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
{
    ["Server:Key"] = key.ToString(),
    ["Server:Keys:0"] = "posix:/first",
    ["Server:Keys:1"] = "systemv-84:/tmp/second",
    ["Server:Objects:gate:Key"] = "windows:third",
    ["Server:Objects:gate:InitialCount"] = "4",
    ["Server:Whole:NativeKey"] = "/fourth",
    ["Server:Whole:Type"] = "PosixRealtime",
    ["Server:Semaphore:Mode"] = "UserRead, UserWrite, GroupRead",
    ["Server:Semaphore:Removal"] = "Creator",
    ["Server:Semaphore:Undo"] = "AcquireOnly",
    ["Server:Semaphore:AcceptExistingCount"] = "true",
    ["Server:Semaphore:MaximumCount"] = "5",
    ["Server:Semaphore:ShareMaximumCount"] = "true",
    ["Server:Semaphore:Group"] = "users",
    ["Server:Semaphore:CurrentUserOnly"] = "true",
    ["Server:Semaphore:SecurityDescriptor"] = "D:P(A;;GA;;;OW)",
    ["Server:Semaphore:AllowOtherOwners"] = "true",
    ["Server:Semaphore:Reclaim"] = "true",
    ["Server:Semaphore:Robust"] = "true",
    ["Server:Semaphore:AllowSynchronousContinuations"] = "true",
    ["Server:Semaphore:Recording"] = "Process",
    ["Server:Semaphore:TakeOverUnknownHolders"] = "false",
    ["Server:Semaphore:RemoveAtProcessExit"] = "false",
    ["Server:Semaphore:PeerTimeout"] = "00:00:02.5",
    ["Server:Memory:Mode"] = "UserRead, UserWrite, GroupRead",
    ["Server:Memory:Removal"] = "Creator",
    ["Server:Memory:Allocation"] = "Populate",
    ["Server:Memory:UseLock"] = "false",
    ["Server:Memory:AllowSmaller"] = "true",
    ["Server:Memory:Group"] = "users",
    ["Server:Memory:CurrentUserOnly"] = "true",
    ["Server:Memory:SecurityDescriptor"] = "D:P(A;;GA;;;OW)",
    ["Server:Memory:AllowOtherOwners"] = "true",
    ["Server:Memory:Reclaim"] = "true",
    ["Server:Memory:RequireLockRecovery"] = "true",
    ["Server:Memory:TakeOverUnknownHolders"] = "false",
    ["Server:Memory:RemoveAtProcessExit"] = "false",
    ["Server:Memory:PeerTimeout"] = "00:00:02.5",
    ["Plain:MaximumCount"] = "5",
    ["Bad:Semaphore:Mode"] = "Everybody",
    ["BadKey:Key"] = "posix",
    ["Listing:FindUnused"] = "true",
    ["Listing:Kind"] = "SystemSemaphore",
}).Build();

int failures = 0;
ServerOptions server = configuration.GetSection("Server").Get<ServerOptions>()!;

// A new option must be bound as well, and stand here.
Check("options of a semaphore are bound", server.Semaphore.ToString(),
    "SystemSemaphoreOptions { Mode = GroupRead, UserWrite, UserRead, Removal = Creator, Undo = AcquireOnly, "
    + "MaximumCount = 5, ShareMaximumCount = True, AcceptExistingCount = True, Group = users, CurrentUserOnly = True, "
    + "SecurityDescriptor = D:P(A;;GA;;;OW), AllowOtherOwners = True, Reclaim = True, Robust = True, "
    + "TakeOverUnknownHolders = False, AllowSynchronousContinuations = True, Recording = Process, "
    + "RemoveAtProcessExit = False, PeerTimeout = 00:00:02.5000000 }");
Check("options of a segment are bound", server.Memory.ToString(),
    "SharedMemoryOptions { Mode = GroupRead, UserWrite, UserRead, Removal = Creator, Allocation = Populate, "
    + "UseLock = False, AllowSmaller = True, Group = users, CurrentUserOnly = True, "
    + "SecurityDescriptor = D:P(A;;GA;;;OW), AllowOtherOwners = True, "
    + "Reclaim = True, RequireLockRecovery = True, TakeOverUnknownHolders = False, RemoveAtProcessExit = False, "
    + "PeerTimeout = 00:00:02.5000000 }");
Check("a key is bound as text", server.NativeKey.ToString(), key.ToString());
Check("keys in a list are bound as texts", string.Join(' ', server.Keys.Select(text => NativeIpcKey.Parse(text))),
    "posix:/first systemv-84:/tmp/second");
Check("an object is found by a name, with its key as text",
    $"{server.Objects["gate"].NativeKey} {server.Objects["gate"].InitialCount}", "windows:third 4");
Check("a key is bound by its two parts", server.Whole.ToString(), "posix:/fourth");
Check("what is not configured has its default",
    (configuration.GetSection("Plain").Get<SystemSemaphoreOptions>()! with { MaximumCount = null }).ToString(),
    new SystemSemaphoreOptions().ToString());
IpcEnumerationOptions listing = configuration.GetSection("Listing").Get<IpcEnumerationOptions>()!;
Check("options of a listing are bound", $"{listing.FindUnused} {listing.Kind} {listing.IncludeAttachments}",
    "True SystemSemaphore True");
Check("a wrong value names its place",
    Failure(() => configuration.GetSection("Bad").Get<ServerOptions>())
        .Contains("Bad:Semaphore:Mode", StringComparison.Ordinal), true);
Check("a wrong key is refused when it is bound",
    Failure(() => configuration.GetSection("BadKey").Get<ServerOptions>()).Contains("posix", StringComparison.Ordinal),
    true);

SystemSemaphoreOptions used = configuration.GetSection("Plain").Get<SystemSemaphoreOptions>()!;
using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(server.NativeKey, 5, used))
{
    Check("an object is made with bound options",
        Failure(() => semaphore.Release()).Contains("MaximumCount", StringComparison.Ordinal), true);
}

Console.WriteLine(failures == 0 ? "all ok" : "failed");
return failures;

void Check<T>(string what, T seen, T expected)
{
    bool isGood = EqualityComparer<T>.Default.Equals(seen, expected);
    Console.WriteLine(isGood ? $"ok {what}" : $"FAILED {what}: {seen} instead of {expected}");
    if (!isGood) failures++;
}

static string Failure(Action action)
{
    try
    {
        action();
        return "";
    }
    catch (Exception failure) when (failure is InvalidOperationException or FormatException or NativeIpcException)
    {
        return failure.ToString();
    }
}

namespace NativeIpc.Configuration
{
    /// <summary>The options of a program.</summary>
    internal sealed class ServerOptions
    {
        /// <summary>As text, of which the generator cannot make a <see cref="NativeIpcKey"/>.</summary>
        /// <remarks>What is not configured, the generator sets to what it has: to "" here.</remarks>
        public string Key
        {
            get => NativeKey.ToString();
            set => NativeKey = value == "" ? default : NativeIpcKey.Parse(value);
        }

        internal NativeIpcKey NativeKey { get; private set; }

        public IList<string> Keys { get; set; } = [];

        /// <summary>By names: the text of a key has a colon, which separates sections in a configuration.</summary>
        public IDictionary<string, ObjectOptions> Objects { get; set; } = new Dictionary<string, ObjectOptions>();

        /// <summary>A section with NativeKey and Type.</summary>
        public NativeIpcKey Whole { get; set; }

        public SystemSemaphoreOptions Semaphore { get; set; } = new();

        public SharedMemoryOptions Memory { get; set; } = new();
    }

    internal sealed class ObjectOptions
    {
        public string Key
        {
            get => NativeKey.ToString();
            set => NativeKey = value == "" ? default : NativeIpcKey.Parse(value);
        }

        internal NativeIpcKey NativeKey { get; private set; }

        public int InitialCount { get; set; } = 1;
    }
}
