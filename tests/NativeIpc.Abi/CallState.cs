using System.Globalization;

namespace NativeIpc.Abi;

/// <summary>
/// What a function has put into argument registers and onto the stack at the moment it calls another, read from
/// assembly text. It understands the few instructions that clang needs to pass constants, and refuses any other rather
/// than guess.
/// </summary>
internal sealed class CallState
{
    private readonly Dictionary<string, ulong?> _registers = [];
    private readonly SortedDictionary<long, byte> _bytes = [];
    private long _stackPointer;

    private CallState()
    {
    }

    /// <summary>Argument registers with a known value: x0 to x7, or rdi, rsi, rdx, rcx, r8 and r9.</summary>
    internal ulong? Register(string name) => _registers.GetValueOrDefault(name);

    /// <summary>The bytes with a known value at and above the stack pointer, where the callee looks for
    /// arguments.</summary>
    internal IReadOnlyDictionary<long, byte> Stack
        => _bytes.Where(stored => stored.Key >= _stackPointer).ToDictionary(stored => stored.Key - _stackPointer,
            stored => stored.Value);

    /// <summary>The number in the lower bytes of one of the words that Apple arm64 gives to variadic arguments; null
    /// where they are not all known.</summary>
    internal ulong? Slot(int index, int size)
    {
        ulong value = 0;
        for (int i = size - 1; i >= 0; i--)
        {
            if (!_bytes.TryGetValue(_stackPointer + (index * 8) + i, out byte one)) return null;
            value = (value << 8) | one;
        }

        return value;
    }

    internal static CallState OfArm64(string assembly, string function)
    {
        var state = new CallState();
        foreach ((string mnemonic, string[] operands) in Instructions(assembly, function, comment: ';'))
        {
            switch (mnemonic)
            {
                case "bl" or "b":
                    return state;
                case "sub" when operands is ["sp", "sp", _]:
                    state._stackPointer -= Immediate(operands[2]);
                    break;
                case "add" when operands[0] == "x29": // the frame pointer
                    break;
                case "mov" or "movz":
                    state._registers[X(operands[0])] = operands[1].StartsWith('#')
                        ? (ulong)Immediate(operands[1]) & (operands[0][0] == 'w' ? uint.MaxValue : ulong.MaxValue)
                        : state.Arm64Value(operands[1]);
                    break;
                case "movk" when operands is [_, _, _]:
                    int shift = (int)Immediate(operands[2].Replace("lsl ", "", StringComparison.Ordinal));
                    state._registers[X(operands[0])] = (state.Arm64Value(operands[0]) & ~(0xFFFFUL << shift))
                        | ((ulong)Immediate(operands[1]) << shift);
                    break;
                case "str":
                    state.Store(state.Arm64Address(operands[1..]), operands[0]);
                    break;
                case "stp":
                    long address = state.Arm64Address(operands[2..]);
                    state.Store(address, operands[0]);
                    state.Store(address + Size(operands[0]), operands[1]);
                    break;
                default:
                    throw Unknown(mnemonic, operands);
            }
        }

        throw new InvalidOperationException($"{function} calls nothing.");
    }

    /// <summary>Registers only; of the stack arguments of x64 nothing is asked.</summary>
    internal static CallState OfX64(string assembly, string function)
    {
        var state = new CallState();
        foreach ((string mnemonic, string[] operands) in Instructions(assembly, function, comment: '#'))
        {
            switch (mnemonic)
            {
                case "callq" or "call" or "jmp":
                    return state;
                case "movl" or "movq" or "movabsq"
                    when operands is [['$', .. string number], ['%', .. string register]]:
                    state._registers[R(register)] =
                        (ulong)Immediate(number) & (mnemonic == "movl" ? uint.MaxValue : ulong.MaxValue);
                    break;
                case "xorl" when operands[0] == operands[1]:
                    state._registers[R(operands[0][1..])] = 0;
                    break;
                case "pushq" or "subq" or "xorps" or "movups" or "movaps":
                case "movq" when operands[1].EndsWith("(%rsp)", StringComparison.Ordinal)
                    || operands is ["%rsp", "%rbp"]:
                    break;
                default:
                    throw Unknown(mnemonic, operands);
            }
        }

        throw new InvalidOperationException($"{function} calls nothing.");
    }

    private static IEnumerable<(string Mnemonic, string[] Operands)> Instructions(string assembly, string function,
        char comment)
        => assembly.Split('\n')
            .Select(line => line.Contains(comment) ? line[..line.IndexOf(comment)] : line)
            .Select(line => line.Trim())
            .SkipWhile(line => line != "_" + function + ":")
            .Skip(1)
            .TakeWhile(line => !line.StartsWith('_')) // the next function
            .Where(line => line.Length > 0 && !line.StartsWith('.') && !line.EndsWith(':'))
            .Select(line => line.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries))
            .Select(parts => (parts[0], parts.Length == 1 ? [] : parts[1].Split(',', StringSplitOptions.TrimEntries)));

    private ulong? Arm64Value(string register)
        => register is "xzr" or "wzr" ? 0 : _registers.GetValueOrDefault(X(register));

    // "[sp]", "[sp, #16]" and, moving the stack pointer first, "[sp, #-16]!".
    private long Arm64Address(string[] operands)
    {
        string text = string.Join(',', operands);
        if (!text.StartsWith("[sp", StringComparison.Ordinal)) throw Unknown("an address", operands);
        long offset = operands.Length == 1 ? 0 : Immediate(operands[1].TrimEnd('!', ']'));
        if (!text.EndsWith('!')) return _stackPointer + offset;
        _stackPointer += offset;
        return _stackPointer;
    }

    private void Store(long address, string register)
    {
        ulong? value = Arm64Value(register);
        for (int i = 0; i < Size(register); i++)
        {
            if (value is null) _bytes.Remove(address + i);
            else _bytes[address + i] = (byte)(value >> (8 * i));
        }
    }

    private static int Size(string register)
        => register[0] == 'w' ? 4 : register[0] == 'x' ? 8 : throw Unknown("a register", [register]);

    private static string X(string register) => "x" + register[1..];

    private static string R(string register) => register switch
    {
        ['e', .. string rest] => "r" + rest,
        ['r', .. string rest] => "r" + rest.TrimEnd('d'),
        _ => throw Unknown("a register", [register]),
    };

    private static long Immediate(string text)
    {
        string number = text.TrimStart('#');
        bool negative = number.StartsWith('-');
        if (negative) number = number[1..];
        long value = number.StartsWith("0x", StringComparison.Ordinal)
            ? (long)ulong.Parse(number[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : long.Parse(number, CultureInfo.InvariantCulture);
        return negative ? -value : value;
    }

    private static NotSupportedException Unknown(string what, string[] operands)
        => new($"Teach {nameof(CallState)} this: {what} {string.Join(", ", operands)}");
}
