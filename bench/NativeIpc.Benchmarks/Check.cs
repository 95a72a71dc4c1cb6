using System.Reflection;
using BenchmarkDotNet.Attributes;

namespace NativeIpc.Benchmarks;

/// <summary><c>--check</c>: runs each benchmark once for each of its parameters, without BenchmarkDotNet, so that a
/// test sees that all of them work.</summary>
internal static class Check
{
    /// <summary>A result that is not as it must be ends the benchmark: a number for work that was not done would be
    /// worse than none.</summary>
    public static void That(bool done)
    {
        if (!done) throw new InvalidOperationException("The benchmark did not do its work.");
    }

    public static int Run()
    {
        foreach (Type type in typeof(Check).Assembly.GetTypes().Where(type => type.GetMethods().Any(IsBenchmark)))
        {
            PropertyInfo? parameter = type.GetProperties()
                .FirstOrDefault(property => property.GetCustomAttribute<ParamsAttribute>() is not null);
            foreach (object? value in parameter?.GetCustomAttribute<ParamsAttribute>()!.Values ?? [null])
            {
                object benchmarks = Activator.CreateInstance(type)!;
                parameter?.SetValue(benchmarks, value);
                Call<GlobalSetupAttribute>(benchmarks);
                foreach (MethodInfo benchmark in type.GetMethods().Where(IsBenchmark))
                {
                    benchmark.Invoke(benchmarks, null);
                    Console.WriteLine($"ok {type.Name}.{benchmark.Name} {value}");
                }

                Call<GlobalCleanupAttribute>(benchmarks);
            }
        }

        return 0;
    }

    private static bool IsBenchmark(MethodInfo method) => method.GetCustomAttribute<BenchmarkAttribute>() is not null;

    private static void Call<TAttribute>(object target)
        where TAttribute : Attribute
        => target.GetType().GetMethods()
            .SingleOrDefault(method => method.GetCustomAttribute<TAttribute>() is not null)?.Invoke(target, null);
}
