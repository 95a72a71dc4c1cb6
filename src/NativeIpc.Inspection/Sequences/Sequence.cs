using System.Collections;

namespace NativeIpc.Inspection.Sequences;

/// <summary>What this library and the tool need of LINQ, by the same names, used as that is: a sequence is made when it
/// is asked for, each time anew. The native <c>nipc</c> is 0.45 MB smaller with it, since System.Linq has a type of its
/// own for each pair of methods and each kind of value, with shortcuts for lists and arrays. Both projects have this
/// namespace instead of that one.</summary>
internal static class Sequence
{
    public static IEnumerable<TResult> Select<T, TResult>(this IEnumerable<T> source, Func<T, TResult> of)
    {
        foreach (T each in source) yield return of(each);
    }

    public static IEnumerable<TResult> Select<T, TResult>(this IEnumerable<T> source, Func<T, int, TResult> of)
    {
        int at = 0;
        foreach (T each in source) yield return of(each, at++);
    }

    public static IEnumerable<TResult> SelectMany<T, TResult>(
        this IEnumerable<T> source, Func<T, IEnumerable<TResult>> of)
    {
        foreach (T each in source)
        {
            foreach (TResult one in of(each)) yield return one;
        }
    }

    public static IEnumerable<TResult> SelectMany<T, TMany, TResult>(
        this IEnumerable<T> source, Func<T, IEnumerable<TMany>> of, Func<T, TMany, TResult> both)
    {
        foreach (T each in source)
        {
            foreach (TMany one in of(each)) yield return both(each, one);
        }
    }

    public static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, bool> fits)
    {
        foreach (T each in source)
        {
            if (fits(each)) yield return each;
        }
    }

    public static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, int, bool> fits)
    {
        int at = 0;
        foreach (T each in source)
        {
            if (fits(each, at++)) yield return each;
        }
    }

    public static IEnumerable<T> OfType<T>(this IEnumerable source)
    {
        foreach (object? each in source)
        {
            if (each is T one) yield return one;
        }
    }

    public static IEnumerable<T> Concat<T>(this IEnumerable<T> source, IEnumerable<T> more)
    {
        foreach (T each in source) yield return each;
        foreach (T each in more) yield return each;
    }

    public static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count)
    {
        if (count <= 0) yield break;
        foreach (T each in source)
        {
            yield return each;
            if (--count == 0) yield break;
        }
    }

    public static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count)
    {
        foreach (T each in source)
        {
            if (--count < 0) yield return each;
        }
    }

    public static IEnumerable<T> TakeLast<T>(this IEnumerable<T> source, int count)
    {
        List<T> all = new(source);
        for (int i = Math.Max(0, all.Count - count); i < all.Count; i++) yield return all[i];
    }

    public static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)
    {
        List<T> all = new(source);
        for (int i = all.Count - 1; i >= 0; i--) yield return all[i];
    }

    /// <summary>Of an array, so that it is not turned round in place (MemoryExtensions).</summary>
    public static IEnumerable<T> Reverse<T>(this T[] source) => Reverse((IEnumerable<T>)source);

    public static IEnumerable<T> Distinct<T>(this IEnumerable<T> source)
    {
        HashSet<T> seen = new();
        foreach (T each in source)
        {
            if (seen.Add(each)) yield return each;
        }
    }

    public static IEnumerable<T> DistinctBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> by)
    {
        HashSet<TKey> seen = new();
        foreach (T each in source)
        {
            if (seen.Add(by(each))) yield return each;
        }
    }

    public static bool Any<T>(this IEnumerable<T> source)
    {
        using IEnumerator<T> each = source.GetEnumerator();
        return each.MoveNext();
    }

    public static bool Any<T>(this IEnumerable<T> source, Func<T, bool> fits)
    {
        foreach (T each in source)
        {
            if (fits(each)) return true;
        }

        return false;
    }

    public static bool All<T>(this IEnumerable<T> source, Func<T, bool> fits)
    {
        foreach (T each in source)
        {
            if (!fits(each)) return false;
        }

        return true;
    }

    public static int Count<T>(this IEnumerable<T> source)
    {
        int count = 0;
        foreach (T _ in source) count++;
        return count;
    }

    public static int Count<T>(this IEnumerable<T> source, Func<T, bool> fits)
    {
        int count = 0;
        foreach (T each in source)
        {
            if (fits(each)) count++;
        }

        return count;
    }

    public static bool Contains<T>(this IEnumerable<T> source, T sought)
    {
        foreach (T each in source)
        {
            if (EqualityComparer<T>.Default.Equals(each, sought)) return true;
        }

        return false;
    }

    public static bool SequenceEqual<T>(this IReadOnlyList<T> source, IReadOnlyList<T> other)
    {
        if (source.Count != other.Count) return false;
        for (int i = 0; i < source.Count; i++)
        {
            if (!EqualityComparer<T>.Default.Equals(source[i], other[i])) return false;
        }

        return true;
    }

    public static T? FirstOrDefault<T>(this IEnumerable<T> source)
    {
        foreach (T each in source) return each;
        return default;
    }

    public static T? FirstOrDefault<T>(this IEnumerable<T> source, Func<T, bool> fits)
    {
        foreach (T each in source)
        {
            if (fits(each)) return each;
        }

        return default;
    }

    public static T FirstOrDefault<T>(this IEnumerable<T> source, T otherwise)
    {
        foreach (T each in source) return each;
        return otherwise;
    }

    public static T LastOrDefault<T>(this IEnumerable<T> source, T otherwise)
    {
        foreach (T each in source) otherwise = each;
        return otherwise;
    }

    public static T First<T>(this IEnumerable<T> source)
    {
        foreach (T each in source) return each;
        throw new InvalidOperationException("There is none.");
    }

    public static T First<T>(this IEnumerable<T> source, Func<T, bool> fits) => source.Where(fits).First();

    public static T Single<T>(this IEnumerable<T> source)
    {
        using IEnumerator<T> each = source.GetEnumerator();
        if (!each.MoveNext()) throw new InvalidOperationException("There is none.");
        T one = each.Current;
        return each.MoveNext() ? throw new InvalidOperationException("There are several.") : one;
    }

    public static T Single<T>(this IEnumerable<T> source, Func<T, bool> fits) => source.Where(fits).Single();

    public static T? LastOrDefault<T>(this IEnumerable<T> source)
    {
        T? last = default;
        foreach (T each in source) last = each;
        return last;
    }

    public static T? LastOrDefault<T>(this IEnumerable<T> source, Func<T, bool> fits)
        => source.Where(fits).LastOrDefault();

    public static int Sum<T>(this IEnumerable<T> source, Func<T, int> of)
    {
        int sum = 0;
        foreach (T each in source) sum = checked(sum + of(each));
        return sum;
    }

    public static long Sum<T>(this IEnumerable<T> source, Func<T, long> of)
    {
        long sum = 0;
        foreach (T each in source) sum = checked(sum + of(each));
        return sum;
    }

    public static T Max<T>(this IEnumerable<T> source)
    {
        using IEnumerator<T> each = source.GetEnumerator();
        if (!each.MoveNext()) throw new InvalidOperationException("There is none.");
        T most = each.Current;
        while (each.MoveNext())
        {
            if (Comparer<T>.Default.Compare(each.Current, most) > 0) most = each.Current;
        }

        return most;
    }

    public static T Min<T>(this IEnumerable<T> source)
    {
        using IEnumerator<T> each = source.GetEnumerator();
        if (!each.MoveNext()) throw new InvalidOperationException("There is none.");
        T least = each.Current;
        while (each.MoveNext())
        {
            if (Comparer<T>.Default.Compare(each.Current, least) < 0) least = each.Current;
        }

        return least;
    }

    public static TResult Max<T, TResult>(this IEnumerable<T> source, Func<T, TResult> of) => source.Select(of).Max();

    /// <summary>The first with the most; null (or the default of a value) for none.</summary>
    public static T? MaxBy<T>(this IEnumerable<T> source, Func<T, long> of) => source.MinBy(each => -of(each));

    /// <summary>The first with the least; null (or the default of a value) for none.</summary>
    public static T? MinBy<T>(this IEnumerable<T> source, Func<T, long> of)
    {
        T? least = default;
        long its = long.MaxValue;
        foreach (T each in source)
        {
            if (of(each) is var value && value >= its) continue;
            least = each;
            its = value;
        }

        return least;
    }

    public static Ordered<T> Order<T>(this IEnumerable<T> source, IComparer<T> comparer)
        => new(source, comparer.Compare);

    public static Ordered<T> OrderBy<T, TKey>(
        this IEnumerable<T> source, Func<T, TKey> by, IComparer<TKey>? comparer = null)
        => new(source, Comparing(by, comparer));

    public static Ordered<T> OrderByDescending<T, TKey>(this IEnumerable<T> source, Func<T, TKey> by)
        => new(source, Descending(by));

    internal static Comparison<T> Comparing<T, TKey>(Func<T, TKey> by, IComparer<TKey>? comparer)
        => (one, other) => (comparer ?? Comparer<TKey>.Default).Compare(by(one), by(other));

    internal static Comparison<T> Descending<T, TKey>(Func<T, TKey> by)
        => (one, other) => Comparer<TKey>.Default.Compare(by(other), by(one));

    public static IEnumerable<Group<TKey, T>> GroupBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> by)
        where TKey : notnull
    {
        Dictionary<TKey, Group<TKey, T>> found = new();
        List<Group<TKey, T>> groups = new();
        foreach (T each in source)
        {
            TKey key = by(each);
            if (!found.TryGetValue(key, out Group<TKey, T>? group))
            {
                found.Add(key, group = new Group<TKey, T>(key));
                groups.Add(group);
            }

            group.Add(each);
        }

        return groups;
    }

    public static List<T> ToList<T>(this IEnumerable<T> source) => new(source);

    public static T[] ToArray<T>(this IEnumerable<T> source) => new List<T>(source).ToArray();

    public static IEnumerable<int> Range(int first, int count)
    {
        for (int i = 0; i < count; i++) yield return first + i;
    }
}

/// <summary>What has one key, in the order in which it came.</summary>
internal sealed class Group<TKey, T>(TKey key) : List<T>
{
    public TKey Key { get; } = key;
}

/// <summary>A sequence in order; what is equal stays as it came.</summary>
internal sealed class Ordered<T>(IEnumerable<T> source, Comparison<T> compare) : IEnumerable<T>
{
    public Ordered<T> ThenBy<TKey>(Func<T, TKey> by, IComparer<TKey>? comparer = null)
    {
        Comparison<T> then = Sequence.Comparing(by, comparer);
        return new(source, (one, other) => compare(one, other) is var first && first != 0 ? first : then(one, other));
    }

    public Ordered<T> ThenByDescending<TKey>(Func<T, TKey> by)
    {
        Comparison<T> then = Sequence.Descending(by);
        return new(source, (one, other) => compare(one, other) is var first && first != 0 ? first : then(one, other));
    }

    public IEnumerator<T> GetEnumerator()
    {
        List<T> all = new(source);
        int[] places = new int[all.Count];
        for (int i = 0; i < places.Length; i++) places[i] = i;
        Array.Sort(places, (one, other) =>
            compare(all[one], all[other]) is var order && order != 0 ? order : one.CompareTo(other));
        foreach (int place in places) yield return all[place];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
