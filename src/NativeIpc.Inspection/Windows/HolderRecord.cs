using System.Runtime.InteropServices;
using NativeIpc.Windows;

namespace NativeIpc.Inspection.Windows;

/// <summary>The record of who holds a semaphore (<see cref="HolderTable"/>) as it was at one moment, read without
/// taking part.</summary>
internal sealed class HolderRecord
{
    private readonly NativeIpcKey _semaphore;
    private readonly byte[] _bytes = new byte[HolderTable.Size];

    private HolderRecord(in NativeIpcKey semaphore) => _semaphore = semaphore;

    /// <summary>The holder of the semaphore: its turn and slot; 0 for nobody.</summary>
    public long Owner => MemoryMarshal.AsRef<HolderTable.Header>(_bytes).Owner;

    /// <summary>The record of a semaphore; null where there is none that can be read.</summary>
    public static HolderRecord? Read(in NativeIpcKey semaphore)
    {
        var record = new HolderRecord(semaphore);
        try
        {
            return WindowsLook.Read(HolderTable.KeyOf(semaphore).NativeKey, 0, record._bytes) == HolderTable.Size
                ? record : null;
        }
        catch (NativeIpcException)
        {
            return null; // nobody of this library has locked, or its record is shut: nothing can be said
        }
    }

    /// <summary>Whether the slot of a holder lives: its mutex has a name.</summary>
    public bool IsAlive(int mark, Dictionary<string, string> names)
        => names.ContainsKey(HolderTable.LifeOf(_semaphore, mark));

    /// <summary>
    /// Whether somebody who lives has had the semaphore open since before the owner took it, so that it is the same one
    /// still. Without that it may be another semaphore of the same name, which a Qt or C program has made since.
    /// </summary>
    /// <param name="later">The record, read after the names.</param>
    /// <param name="names">The names of objects.</param>
    public bool IsOfTheSameSemaphore(HolderRecord later, Dictionary<string, string> names)
    {
        long turn = Owner >> HolderTable.MarkBits;
        for (int mark = 1; mark <= HolderTable.Slots; mark++)
        {
            HolderTable.Slot slot = SlotOf(mark), then = later.SlotOf(mark);
            if (slot.ProcessId != 0 && slot.OpenedAt < turn && then.ProcessId != 0 && then.Claim == slot.Claim
                && IsAlive(mark, names))
                return true;
        }

        return false;
    }

    private HolderTable.Slot SlotOf(int mark) => MemoryMarshal.Cast<byte, HolderTable.Slot>(_bytes)[mark];
}
