// One type for each way to use a type of another room, which the test of the rooms must see.
#pragma warning disable CA1812, CA1823, CA1852, CA1064, CS0169, CS0649, CA1018, CA1806, IDE0051, IDE0059, IDE0060
namespace NativeIpc.Tests.Architecture.RoomSamples
{
    using System.Runtime.CompilerServices;
    using NativeIpc.Tests.Architecture.RoomSamples.Low;

    internal sealed class Base : Thing;

    internal sealed class Contract : IContract;

    internal sealed class Field
    {
        private readonly Thing? _thing;
    }

    internal sealed class GenericArgument
    {
        private readonly List<Thing[]>? _things;
    }

    internal sealed class Constraint
    {
        internal static void Do<T>()
            where T : IContract
        {
        }
    }

    [Mark]
    internal sealed class Attribute;

    internal sealed class AttributeArgument
    {
        [InlineArray(1)]
        [System.ComponentModel.TypeConverter(typeof(Thing))]
        internal struct Value
        {
            private int _one;
        }
    }

    internal sealed class Parameter
    {
        internal static void Do(in Thing thing)
        {
        }
    }

    internal sealed class StaticCall
    {
        internal static void Do() => Thing.Do();
    }

    internal sealed class StaticField
    {
        internal static void Do() => Thing.s_count = 1;
    }

    internal sealed class Lambda
    {
        internal static Action Do() => () => Thing.Do();
    }

    internal sealed class Iterator
    {
        internal static IEnumerable<int> Do()
        {
            Thing.Do();
            yield return 1;
        }
    }

    internal sealed class Async
    {
        internal static async Task Do()
        {
            await Task.Yield();
            Thing.Do();
        }
    }

    internal sealed class TypeOf
    {
        internal static string Do() => typeof(Thing).Name;
    }

    internal sealed class Caught
    {
        internal static void Do()
        {
            try
            {
                GC.Collect(0);
            }
            catch (ThingException)
            {
            }
        }
    }

    internal sealed class Local
    {
        internal static object? Do(object value)
        {
            var thing = value as Thing;
            return thing;
        }
    }

    internal sealed unsafe class FunctionPointer
    {
        private readonly delegate*<Thing, void> _do;
    }

    internal sealed class Nested
    {
        private sealed class Inner
        {
            private readonly Thing? _thing;
        }
    }

    internal sealed class CallArgument
    {
        internal static void Do() => Enumerable.Empty<Thing>();
    }
}

namespace NativeIpc.Tests.Architecture.RoomSamples.Low
{
    internal class Thing
    {
        internal static int s_count;

        internal static void Do() => s_count++;
    }

    internal interface IContract;

    internal sealed class ThingException : Exception;

    [AttributeUsage(AttributeTargets.All)]
    internal sealed class MarkAttribute : System.Attribute;
}
