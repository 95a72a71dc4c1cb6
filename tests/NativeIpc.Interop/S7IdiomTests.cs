using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 7: two idioms of real Qt programs, with a .NET program on the other side.</summary>
public sealed class S7IdiomTests : Scenario
{
    protected override int Number => 7;

    public static TheoryData<string, string, string> Guards()
        => PeerKind.EachWay((kind, backEnd, _) => kind.IsQt && backEnd == BackEnd.Legacy);

    public static TheoryData<string, string, string> Blocks()
        => PeerKind.EachWay((kind, _, has) => kind.IsQt && has.HasFlag(Has.Lock));

    [Theory]
    [MemberData(nameof(Guards))]
    public void a_program_guarded_by_run_guard_runs_once(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        string name = InteropKeys.NextName();
        stage.Keys.Track(RunGuard.SegmentKey(name));
        stage.Keys.Track(RunGuard.SemaphoreKey(name));
        var seen = new Seen(RunGuard.SegmentKey(name));
        using var ours = new RunGuard(name);
        stage.Peer.Ask($"guard new g {name}");
        stage.Keys.Note();
        Assert.False(ours.IsAnotherRunning);
        Assert.Equal("false", stage.Peer.Ask("guard other g"));
        if (stage.IsOurs)
        {
            Assert.True(ours.TryToRun());
            stage.Keys.Note();
            Assert.Equal("true", stage.Peer.Ask("guard other g"));
            Assert.Equal("false", stage.Peer.Ask("guard run g"));
            ours.Dispose();
            stage.Peer.Ask($"guard new h {name}"); // a guard that was refused has to be made anew
            Assert.Equal("true", stage.Peer.Ask("guard run h"));
            stage.Peer.Ask("guard close h");
        }
        else
        {
            Assert.Equal("true", stage.Peer.Ask("guard run g"));
            stage.Keys.Note();
            Assert.True(ours.IsAnotherRunning);
            Assert.False(ours.TryToRun());
            stage.Peer.Ask("guard close g");
            Assert.False(ours.IsAnotherRunning);
            Assert.True(ours.TryToRun());
            ours.Dispose();
        }

        Assert.False(SharedMemory.TryOpenExisting(RunGuard.SegmentKey(name), out _));
    });

    [Theory]
    [MemberData(nameof(Guards))]
    public void a_guarded_program_that_crashed_does_not_bar_the_next(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        string name = InteropKeys.NextName();
        stage.Keys.Track(RunGuard.SegmentKey(name));
        stage.Keys.Track(RunGuard.SemaphoreKey(name));
        stage.Peer.Ask($"guard new g {name}");
        Assert.Equal("true", stage.Peer.Ask("guard run g"));
        stage.Keys.Note();
        stage.Peer.Kill();
        if (stage.IsOurs)
        {
            // The next one is ours: its start removes the leftover, and it runs.
            using var ours = new RunGuard(name);
            Assert.False(ours.IsAnotherRunning);
            Assert.True(ours.TryToRun());
            stage.Keys.Note();
        }
        else
        {
            // The next one is theirs, with one of ours that looks in between.
            using (SharedMemory.OpenExisting(RunGuard.SegmentKey(name), SharedMemoryAccess.Read,
                new SharedMemoryOptions { Removal = RemovalPolicy.Keep }))
            {
            }

            using ForeignPeer next = stage.StartAnother();
            next.Ask($"guard new g {name}");
            Assert.Equal("true", next.Ask("guard run g"));
            using var ours = new RunGuard(name);
            Assert.True(ours.IsAnotherRunning);
            stage.Keys.Note();
            next.Ask("guard close g");
        }
    });

    [Theory]
    [MemberData(nameof(Blocks))]
    public void the_block_of_a_single_application_is_kept_by_both(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        string name = InteropKeys.NextName();
        string start = $"{name} {backEnd}";
        NativeIpcKey key = stage.Keys.Track(SingleBlock.Key(name, backEnd));
        if (stage.IsOurs)
        {
            using var ours = new SingleBlock(key);
            Assert.True(ours.Start("dotnet user"));
            Assert.Equal("secondary 1", stage.Peer.Ask($"single start s {start}"));
            stage.Keys.Note();
            string expected = string.Create(CultureInfo.InvariantCulture,
                $"true 1 {Environment.ProcessId} dotnet%20user true");
            Assert.Equal(expected, stage.Peer.Ask("single block s"));
            Assert.Equal((true, 1u, (long)Environment.ProcessId, "dotnet user", true), ours.Describe());
            using (var second = new SingleBlock(key)) Assert.False(second.Start("another"));
            Assert.Equal(expected.Replace("true 1", "true 2", StringComparison.Ordinal),
                stage.Peer.Ask("single block s"));
            stage.Peer.Ask("single close s");
        }
        else
        {
            Assert.Equal("primary", stage.Peer.Ask($"single start s {start}"));
            stage.Keys.Note();
            using var ours = new SingleBlock(key);
            Assert.False(ours.Start("dotnet user"));
            Assert.Equal((true, 1u, (long)stage.Peer.Id, "qt user", true), ours.Describe());
            Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"true 1 {stage.Peer.Id} qt%20user true"),
                stage.Peer.Ask("single block s"));
            using ForeignPeer third = stage.StartAnother();
            Assert.Equal("secondary 2", third.Ask($"single start s {start}"));
            third.Ask("single close s");
            if (backEnd == BackEnd.SystemV)
            {
                // The failed create() of the second Qt program took the key file with it when that program ended. Those
                // who are attached go on.
                Assert.False(SharedMemory.TryOpenExisting(key, out _));
                stage.Limit(Limits.QtTakesTheName);
            }

            stage.Peer.Ask("single close s");
            Assert.Equal((true, 2u, (long)stage.Peer.Id, "qt user", true), ours.Describe());
        }
    });

    /// <summary>The idiom as a .NET program would have it: whether the segment is there says whether one
    /// runs.</summary>
    private sealed class RunGuard : IDisposable
    {
        private readonly NativeIpcKey _key;
        private readonly SystemSemaphore _lock;
        private SharedMemory? _segment;

        public RunGuard(string name)
        {
            _key = SegmentKey(name);
            _lock = SystemSemaphore.CreateOrOpen(SemaphoreKey(name), 1);
            _lock.Acquire();
            // Removes what a crash has left
            if (SharedMemory.TryOpenExisting(_key, out SharedMemory? leftover)) leftover.Dispose();
            _lock.Release();
        }

        public bool IsAnotherRunning
        {
            get
            {
                if (_segment is not null) return false;
                _lock.Acquire();
                bool runs = SharedMemory.TryOpenExisting(_key, out SharedMemory? other);
                other?.Dispose();
                _lock.Release();
                return runs;
            }
        }

        public static NativeIpcKey SegmentKey(string name)
            => SharedMemory.LegacyNativeKey(Hash(name, "_sharedmemKey"), NativeIpcKeyType.SystemV);

        public static NativeIpcKey SemaphoreKey(string name)
            => SystemSemaphore.LegacyNativeKey(Hash(name, "_memLockKey"), NativeIpcKeyType.SystemV);

        public bool TryToRun()
        {
            _lock.Acquire();
            try
            {
                _segment = SharedMemory.CreateNew(_key, 8);
                return true;
            }
            catch (NativeIpcException failure) when (failure.Error == NativeIpcError.AlreadyExists)
            {
                return false;
            }
            finally
            {
                _lock.Release();
            }
        }

        public void Dispose()
        {
            if (_segment is not null)
            {
                _lock.Acquire();
                _segment.Dispose();
                _segment = null;
                _lock.Release();
            }

            _lock.Dispose();
        }

#pragma warning disable CA5350 // the hash that the idiom has
        private static string Hash(string name, string salt)
            => Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(name + salt)));
#pragma warning restore CA5350
    }

    /// <summary>The block of 152 bytes: primary, secondaries, process id, user, checksum over the rest.</summary>
    private sealed class SingleBlock(NativeIpcKey key) : IDisposable
    {
        private const int Size = 152;
        private const int Checked = 144;

        private readonly SharedMemory _segment = SharedMemory.CreateOrOpen(key, Size);

        public static NativeIpcKey Key(string name, string backEnd)
        {
            string text = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes("SingleApplication" + name)))
                .Replace('/', '_');
            return backEnd switch
            {
                BackEnd.Posix => SharedMemory.PlatformSafeKey(text, NativeIpcKeyType.PosixRealtime),
                BackEnd.SystemV => SharedMemory.PlatformSafeKey(text, NativeIpcKeyType.SystemV),
                _ => SharedMemory.LegacyNativeKey(text, NativeIpcKeyType.SystemV),
            };
        }

        /// <summary>True for the first one; the others are counted.</summary>
        public bool Start(string user)
        {
            using SharedMemoryLock scope = _segment.Lock();
            Span<byte> block = _segment.GetSpan(0, Size);
            if (Checksum(block[..Checked]) != MemoryMarshal.Read<ushort>(block[Checked..])) block.Clear();
            bool isPrimary = block[0] == 0;
            if (isPrimary)
            {
                block[0] = 1;
                BinaryPrimitives.WriteInt64LittleEndian(block[8..], Environment.ProcessId);
                Encoding.UTF8.GetBytes(user, block[16..144]);
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(block[4..],
                    BinaryPrimitives.ReadUInt32LittleEndian(block[4..]) + 1);
            }

            BinaryPrimitives.WriteUInt16LittleEndian(block[Checked..], Checksum(block[..Checked]));
            return isPrimary;
        }

        public (bool Primary, uint Secondaries, long ProcessId, string User, bool IsWhole) Describe()
        {
            using SharedMemoryLock scope = _segment.Lock();
            ReadOnlySpan<byte> block = _segment.GetReadOnlySpan(0, Size);
            return (block[0] != 0, BinaryPrimitives.ReadUInt32LittleEndian(block[4..]),
                BinaryPrimitives.ReadInt64LittleEndian(block[8..]),
                Encoding.UTF8.GetString(block[16..144]).TrimEnd('\0'),
                BinaryPrimitives.ReadUInt16LittleEndian(block[Checked..]) == Checksum(block[..Checked]));
        }

        public void Dispose() => _segment.Dispose();

        // CRC-16 of ISO 3309, as qChecksum().
        private static ushort Checksum(ReadOnlySpan<byte> bytes)
        {
            ushort crc = 0xffff;
            foreach (byte value in bytes)
            {
                crc ^= value;
                for (int bit = 0; bit < 8; bit++) crc = (ushort)((crc & 1) != 0 ? (crc >> 1) ^ 0x8408 : crc >> 1);
            }

            return (ushort)~crc;
        }
    }
}
