using Xunit;

namespace NativeIpc.Abi;

/// <summary>
/// Apple arm64 takes variadic arguments from the stack only, which a fixed declaration does not put there. Compiled for
/// that target, our padded declarations must leave every variadic argument where the variadic prototype leaves it.
/// </summary>
public class AppleCallTests
{
    private const string Arm64 = "arm64-apple-macos11";
    private const string X64 = "x86_64-apple-macos11";

    /// <summary>The values of the arguments in front of the dots, and of those behind them.</summary>
    private static readonly ulong[] s_named = [0x101, 0x102, 0x103];
    private static readonly ulong[] s_variadic = [0x333, 0x444];

    private static readonly string[] s_x64Registers = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"];

    // The prototypes as POSIX has them, with the variadic types that Apple's mode_t (unsigned short) and union semun
    // give. From the stored facts: no SDK here.
    private static readonly Dictionary<string, Prototype> s_prototypes = new()
    {
        ["sem_open"] = new("void *", ["const char *", "int"], ["unsigned short", "unsigned int"], [4, 4]),
        ["shm_open"] = new("int", ["const char *", "int"], ["unsigned short"], [4]),
        ["open"] = new("int", ["const char *", "int"], ["unsigned short"], [4]),
        ["semctl"] = new("int", ["int", "int", "int"], ["union semun"], [8]),
    };

    public static TheoryData<string> Functions => [.. s_prototypes.Keys];

    [Fact]
    public void Every_padded_declaration_is_checked_here()
        => Assert.Equal(
            s_prototypes.Keys.Order(),
            NativeDeclaration.All.Where(declaration =>
                declaration.Name.EndsWith("_appleArm64",
                    StringComparison.Ordinal)).Select(declaration => declaration.EntryPoint).Order());

    [Theory]
    [MemberData(nameof(Functions))]
    public void The_padded_declaration_passes_what_the_variadic_call_passes_on_arm64(string function)
    {
        Prototype prototype = s_prototypes[function];
        (CallState variadic, CallState ours) = Compile(Arm64, function,
            NativeDeclaration.Of(function + "_appleArm64").Parameters);

        for (int i = 0; i < prototype.Named.Length; i++)
        {
            Assert.Equal(s_named[i], variadic.Register($"x{i}"));
            Assert.Equal(s_named[i], ours.Register($"x{i}"));
        }

        for (int i = 0; i < prototype.Variadic.Length; i++)
        {
            Assert.Equal(s_variadic[i], variadic.Slot(i, prototype.Sizes[i]));
            Assert.Equal(s_variadic[i], ours.Slot(i, 8)); // the whole word, as libsystem loads it
        }

        Assert.Equal(variadic.Stack, ours.Stack);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void The_plain_declaration_passes_nothing_on_the_stack_of_arm64(string function)
    {
        Prototype prototype = s_prototypes[function];
        (CallState variadic, CallState plain) = Compile(Arm64, function,
            NativeDeclaration.Of(function + "_plain").Parameters);

        Assert.Empty(plain.Stack);
        for (int i = 0; i < prototype.Variadic.Length; i++)
        {
            Assert.Equal(s_variadic[i], variadic.Slot(i, prototype.Sizes[i]));
            string register = $"x{prototype.Named.Length + i}";
            Assert.Equal(s_variadic[i], plain.Register(register));
            Assert.Null(variadic.Register(register));
        }
    }

    [Fact]
    public void Padding_with_ints_would_lose_the_second_variadic_argument_on_arm64()
    {
        IReadOnlyList<Type> parameters = NativeDeclaration.Of("sem_open_appleArm64").Parameters;
        (_, CallState packed) = Compile(Arm64, "sem_open", [.. parameters.SkipLast(2), typeof(int), typeof(uint)]);

        Assert.Equal(0x444_0000_0333UL, packed.Slot(0, 8));
        Assert.Null(packed.Slot(1, 4));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void The_plain_declaration_passes_what_the_variadic_call_passes_on_x64(string function)
    {
        Prototype prototype = s_prototypes[function];
        (CallState variadic, CallState plain) = Compile(X64, function,
            NativeDeclaration.Of(function + "_plain").Parameters);

        // A variadic call also puts the number of vector registers into al. It counts for reading float arguments only.
        ulong[] arguments = [.. s_named[..prototype.Named.Length], .. s_variadic[..prototype.Variadic.Length]];
        for (int i = 0; i < arguments.Length; i++)
        {
            Assert.Equal(arguments[i], variadic.Register(s_x64Registers[i]));
            Assert.Equal(arguments[i], plain.Register(s_x64Registers[i]));
        }
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void The_padded_declaration_would_pass_padding_as_the_argument_on_x64(string function)
    {
        (_, CallState padded) = Compile(X64, function, NativeDeclaration.Of(function + "_appleArm64").Parameters);

        Assert.Equal(0UL, padded.Register(s_x64Registers[s_prototypes[function].Named.Length]));
    }

    /// <summary>The state at the call of the variadic prototype, and at the call of a fixed one with these C#
    /// parameters.</summary>
    private static (CallState Variadic, CallState Fixed) Compile(string target, string function,
        IReadOnlyList<Type> parameters)
    {
        Prototype prototype = s_prototypes[function];
        string[] types = [.. parameters.Select(NativeDeclaration.CType)];
        int named = prototype.Named.Length;
        int padding = parameters.Count - named - prototype.Variadic.Length;
        IEnumerable<string> variadicArguments = Cast(prototype.Named,
            s_named).Concat(Cast(prototype.Variadic, s_variadic));
        IEnumerable<string> fixedArguments =
        [
            .. Cast(types[..named], s_named),
            .. Cast(types[named..(named + padding)], new ulong[padding]),
            .. Cast(types[(named + padding)..], s_variadic),
        ];

        using var folder = new TempFolder();
        string assembly = Compiler.Assembly(target, folder.Write("calls.c", $$"""
            union semun { int val; void *buf; unsigned short *array; };
            extern {{prototype.Returns}} variadic({{string.Join(", ", prototype.Named)}}, ...);
            extern {{prototype.Returns}} fixed({{string.Join(", ", types)}});
            {{prototype.Returns}} call_variadic(void) { return variadic({{string.Join(", ", variadicArguments)}}); }
            {{prototype.Returns}} call_fixed(void) { return fixed({{string.Join(", ", fixedArguments)}}); }
            """));
        Func<string, string, CallState> read = target == Arm64 ? CallState.OfArm64 : CallState.OfX64;
        return (read(assembly, "call_variadic"), read(assembly, "call_fixed"));
    }

    private static IEnumerable<string> Cast(string[] types, ulong[] values)
        => types.Zip(values, (type, value) =>
            type == "union semun" ? $"(union semun){{ .buf = (void *){value} }}" : $"({type}){value}");

    /// <param name="Returns">The type of the result.</param>
    /// <param name="Named">The types in front of the dots.</param>
    /// <param name="Variadic">The types of the arguments behind them.</param>
    /// <param name="Sizes">What the callee reads of each of the latter, in bytes.</param>
    private sealed record Prototype(string Returns, string[] Named, string[] Variadic, int[] Sizes);
}
