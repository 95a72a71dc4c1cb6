using System.Diagnostics;

namespace NativeIpc.Waiting;

/// <summary>Tries for a moment before a wait sleeps, as long as that pays: a partner on another core is often back
/// before a sleep has begun.</summary>
/// <remarks>
/// Spinning loses where the partner needs this very core, and a thread cannot see that. So each object learns: a spin
/// that brought nothing lets the next 1, 2, 4 … 2048 waits sleep without one; a spin that brought something starts
/// anew. So wrong spins cost at most a hundredth of the time.
/// </remarks>
internal static class Spinner
{
    private const int MostSkipped = 2048;
    private const int TriesBetweenLooks = 8;

    // Each look takes the cache line from the core that has it: between two processes that contend, the pauses let one
    // make many steps in a row. The first, short ones meet a partner that answers.
    private const int LongestPause = 32; // about a microsecond
    private const int LongestPauseOfDearTries = 128; // some microseconds

    // About what a sleep and a wake-up cost.
    private static readonly long s_longest = Stopwatch.Frequency * 50 / 1_000_000;
    private static readonly bool s_hasOtherCores = Environment.ProcessorCount > 1;

    /// <summary>Tries without sleeping; false when it brought nothing, or is not worth it.</summary>
    public static bool TryAcquire<T>(T target, CancellationToken cancellationToken)
        where T : IAcquirable, allows ref struct
    {
        if (!s_hasOtherCores) return false;
        ref SpinState state = ref target.Spin;
        if (state.ToSkip > 0)
        {
            state.ToSkip--;
            return false;
        }

        bool dear = target.AreTriesDear;
        int tries = dear ? 1 : TriesBetweenLooks;
        int longestPause = dear ? LongestPauseOfDearTries : LongestPause;
        int pause = 1;
        long start = Stopwatch.GetTimestamp();
        do
        {
            for (int i = 0; i < tries; i++)
            {
                Thread.SpinWait(pause); // it was tried just now
                if (target.TryAcquireFast())
                {
                    state.Skipped = 0;
                    return true;
                }

                if (pause < longestPause) pause *= 2;
            }
        }
        while (Stopwatch.GetTimestamp() - start < s_longest && !cancellationToken.IsCancellationRequested);
        state.ToSkip = state.Skipped = Math.Clamp(state.Skipped * 2, 1, MostSkipped);
        return false;
    }
}
