namespace NativeIpc.Lifetime;

/// <summary>
/// The copies of this library in a process (plug-ins with an AssemblyLoadContext each). The first one's registrations
/// for signals are those that see what all other handlers decided, so it acts for all; when it is unloaded, the next
/// one tries to take over.
/// </summary>
/// <remarks>
/// They meet at a list in the application domain, of types that all of them share; the list is its own lock. Each copy
/// has two actions in it: to remove what it owns, and to register for the signals. A list of another shape is that of
/// another version, and this copy then does nothing at a signal: nobody knows which one is the first.
/// </remarks>
internal static class Copies
{
    private const string Name = "NativeIpc.RemoveAtSignal.Copies";

    /// <summary>Enters the list.</summary>
    /// <param name="removeAll">Removes what this copy owns, as at the end of the process.</param>
    /// <param name="register">Registers this copy for the signals; called at once when it is the first one, or when
    /// that is so later.</param>
    public static void Join(Action removeAll, Action register)
    {
        if (All() is not { } all) return;
        lock (all)
        {
            all.Add((removeAll, register));
            if (all.Count > 1) return;
            try
            {
                register();
            }
            catch
            {
                all.Clear();
                throw;
            }
        }
    }

    /// <summary>Leaves the list, after this copy's registrations have ended.</summary>
    /// <param name="removeAll">What it joined with.</param>
    /// <returns>Has the next copy register; null when there is nothing to do. It takes that copy's gates.</returns>
    public static Action? Leave(Action removeAll)
    {
        if (All() is not { } all) return null;
        lock (all)
        {
            int at = all.FindIndex(copy => copy.RemoveAll == removeAll);
            if (at < 0) return null;
            all.RemoveAt(at);
            return at == 0 && all.Count > 0 ? all[0].Register : null;
        }
    }

    /// <summary>Removes what all of them own.</summary>
    public static void RemoveAll()
    {
        if (All() is not { } all) return;
        (Action RemoveAll, Action Register)[] copies;
        lock (all) copies = all.ToArray();
        foreach ((Action removeAll, _) in copies) removeAll();
    }

    private static List<(Action RemoveAll, Action Register)>? All()
    {
#pragma warning disable CA2002 // Copies of this library share it, and nobody else has a reason to lock it for long.
        lock (AppDomain.CurrentDomain)
#pragma warning restore CA2002
        {
            if (AppDomain.CurrentDomain.GetData(Name) is { } there) return there as List<(Action, Action)>;
            var made = new List<(Action, Action)>();
            AppDomain.CurrentDomain.SetData(Name, made);
            return made;
        }
    }
}
