using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Json.Schema;
using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What <c>--json</c> prints is what docs/nipc-json.md says: field by field in the code, and by running
/// verbs.</summary>
public class JsonSchemaTests : OneType
{
    private const string Page = "nipc-json.md";

    private static readonly JsonObject s_schema = JsonNode.Parse(SchemaText())!.AsObject();

    private static JsonObject Definitions => s_schema["$defs"]!.AsObject();

    [Fact]
    public void Every_field_that_the_code_prints_is_written_down_and_no_other()
    {
        Dictionary<string, SortedDictionary<string, string>> printed = [];
        foreach (Type record in Records()) Walk(record, printed);
        Assert.Equal(printed.Keys.Order(), Definitions.Select(pair => pair.Key).Order());
        foreach ((string record, SortedDictionary<string, string> fields) in printed)
        {
            string[] inCode = [.. fields.Select(field => $"{record}.{field.Key}: {field.Value}")];
            JsonObject definition = Definitions[record]!.AsObject();
            HashSet<string> required = [.. definition["required"]!.AsArray().Select(name => (string)name!)];
            string[] inPage = [.. definition["properties"]!.AsObject().OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(
                    pair => $"{record}.{pair.Key}: {TypeOf(pair.Value!)}{(required.Contains(pair.Key) ? "" : "?")}")];
            Assert.True(inCode.SequenceEqual(inPage),
                $"docs/{Page} and the code differ.\nOnly in the code: {Join(inCode.Except(inPage))}\nOnly on the "
                    + $"page: {Join(inPage.Except(inCode))}");
        }

        static string Join(IEnumerable<string> lines) => string.Join(", ", lines);
    }

    [Fact]
    public void A_record_writes_all_its_properties_by_their_names_and_leaves_out_what_is_not_known()
    {
        var settings = new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };
        MethodInfo write = Nipc.Code.GetType("NativeIpc.Tool.Output.ToolJson", throwOnError: true)!
            .GetMethod("Write", BindingFlags.NonPublic | BindingFlags.Static)!;
        foreach (Type type in Records())
        {
            foreach (bool isFull in new[] { true, false })
            {
                object record = Sample(type, isFull);
                using var written = new MemoryStream();
                write.Invoke(null, [record, written, default(JsonWriterOptions)]);
                Assert.Equal(JsonSerializer.Serialize(record, type, settings),
                    System.Text.Encoding.UTF8.GetString(written.ToArray()));
            }
        }
    }

    /// <summary>A record with a value in each property, or only in those that are always there.</summary>
    private static object Sample(Type type, bool isFull)
    {
        var nullability = new NullabilityInfoContext();
        ConstructorInfo maker = type.GetConstructors().OrderByDescending(each => each.GetParameters().Length).First();
        object record = maker.Invoke([.. maker.GetParameters().Select(parameter =>
            isFull || nullability.Create(parameter).ReadState != NullabilityState.Nullable
                ? SampleValue(parameter.ParameterType, isFull) : null)]);
        foreach (PropertyInfo property in type.GetProperties().Where(each => each.CanWrite && isFull))
            property.SetValue(record, SampleValue(property.PropertyType, isFull));
        return record;
    }

    private static object SampleValue(Type type, bool isFull)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string)) return "a <\u00fc>'\n";
        if (type == typeof(int)) return int.MinValue;
        if (type == typeof(long)) return long.MaxValue;
        if (type == typeof(bool)) return true;
        if (type == typeof(DateTimeOffset)) return new DateTimeOffset(2026, 11, 29, 1, 2, 3, 40, TimeSpan.Zero);
        if (type == typeof(NativeIpcKey)) return new NativeIpcKey("/a", NativeIpcKeyType.PosixRealtime);
        if (type == typeof(object)) return new object[] { "x", true, -1L, ulong.MaxValue, 0.1f, -0.1 };
        if (!type.IsGenericType) return Sample(type, isFull);
        Type item = type.GenericTypeArguments[0];
        var items = Array.CreateInstance(item, 2);
        for (int i = 0; i < items.Length; i++) items.SetValue(SampleValue(item, isFull), i);
        return items;
    }

    [Fact]
    public void Every_field_is_explained_and_a_name_has_one_type_everywhere()
    {
        Dictionary<string, string> types = [];
        foreach ((string record, JsonNode? definition) in Definitions)
        {
            Assert.False(string.IsNullOrWhiteSpace((string?)definition!["description"]), record);
            foreach ((string name, JsonNode? field) in definition["properties"]!.AsObject())
            {
                Assert.False(string.IsNullOrWhiteSpace((string?)field!["description"]), $"{record}.{name}");
                if (TypeOf(field) is not "any" and var type)
                    Assert.True(types.TryAdd(name, type) || types[name] == type,
                        $"{record}.{name} is {type}, and {types[name]} elsewhere");
            }
        }

        // Pid, and name
        Assert.DoesNotContain(types.Keys, name => name.Contains("process", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void The_findings_that_are_written_down_are_those_of_the_library()
        => Assert.Equal(Enum.GetNames<IpcFindingKind>().Select(Nipc.Word).Order(),
            Definitions["FindingReport"]!["properties"]!["finding"]!["enum"]!.AsArray()
                .Select(word => (string)word!).Order());

    [Fact]
    [NeedsLinux("The keys are those of Unix, and there are planted files in /dev/shm.")]
    public void What_the_verbs_print_fits_the_schema()
    {
        NativeIpcKey segment = NewKey("posix"), semaphore = NewKey("posix"), set = NewKey("systemv");
        string broken = $"/dev/shm/sem.{NewKey("posix").NativeKey[1..]}";
        File.WriteAllText(broken, "abc");
        try
        {
            Check("CreatedObject", 0, "create", "shm", $"{segment}", "64");
            Check("CreatedObject", 0, "create", "sem", $"{semaphore}", "2");
            Check("CreatedObject", 0, "create", "shm", $"{set}", "64");
            Check("CreatedObject", 0, "create", "sem", $"{set}", "1");
            Check("SemaphoreValue", 0, "value", $"{semaphore}");
            using SharedMemory used = SharedMemory.OpenExisting(segment,
                options: new SharedMemoryOptions { Removal = RemovalPolicy.Keep });
            Check("ObjectList", 0, "list", "--folder", TestNames.Folder);
            Check("ObjectList", 0, "show", $"{segment}", "--struct", "u8 a, f64 b, char[4] c, u16[2] d, u64 e@60");
            Check("ObjectList", 0, "show", $"{set}");
            // --fix acts on the whole machine, and other tests run beside this one
            Check("DoctorReport", null, "doctor");
            Check("KeyReport", 0, "key", "safe", "frames");
            Check("KeyReport", 0, "key", "safe", "frames", "--scope", "user", "-k", "event");
            Check("KeyReport", 0, "key", "legacy", "frames");
            Check("KeyReport", 0, "key", "parse", "windows:" + new string('x', 300));
            Check("KeyReport", 0, "key", "convert", $"{segment}", "--to", "windows");
            Check("RemovalList", null, "rm", $"{segment}", $"{semaphore}", $"{set}", "posix:/none");
            using var watching = new RunningNipc("list", "--watch", "50ms", "--json", "--type", "posix");
            Validate("ChangeReport", watching.ReadLine());
        }
        finally
        {
            File.Delete(broken);
        }
    }

    [Fact]
    [NeedsLinux("Namespaces of its own need root, on Linux.")]
    [NeedsRoot("Namespaces of its own need root, on Linux.")]
    public void What_doctor_mends_fits_the_schema()
    {
        const string script = """
            mount -t tmpfs -o mode=1777 tmpfs /dev/shm && "$0" create sem posix:/w 1 > /dev/null || exit 125
            "$0" run --sem posix:/w -- sh -c 'kill -9 $PPID' 2> /dev/null | cat # until the command has ended, too
            exec "$0" doctor --fix --json
            """;
        ShellResult result = Shell.Run("unshare",
            ["-im", "--propagation", "private", "sh", "-c", script, Nipc.Program]);
        Assert.Contains("\"fixed\"", result.Output, StringComparison.Ordinal);
        Validate("DoctorReport", result.Output);
    }

    [Fact]
    public void A_field_that_is_not_written_down_is_seen()
        => Assert.ThrowsAny<Exception>(
            () => Validate("SemaphoreValue", """{"key": "posix:/x", "value": 1, "processId": 2}"""));

    private static void Check(string definition, int? exitCode, params string[] verb)
    {
        ShellResult result = Nipc.Run([.. verb, "--json"]);
        if (exitCode is { } code) Assert.True(result.ExitCode == code, result.Error);
        Validate(definition, result.Output);
    }

    /// <summary>By the definition alone, in which no other fields may stand; for users they may, since fields are
    /// added.</summary>
    private static void Validate(string definition, string json)
    {
        JsonObject strict = s_schema.DeepClone().AsObject();
        foreach ((_, JsonNode? each) in strict["$defs"]!.AsObject()) each!["additionalProperties"] = false;
        strict.Remove("anyOf");
        strict["$ref"] = $"#/$defs/{definition}";
        using JsonDocument document = JsonDocument.Parse(json);
        EvaluationResults found = JsonSchema.FromText(strict.ToJsonString(),
            new BuildOptions { SchemaRegistry = new SchemaRegistry() })
            .Evaluate(document.RootElement, new EvaluationOptions { OutputFormat = OutputFormat.List });
        string wrong = string.Join('\n',
            (found.Details ?? []).Where(each => each.Errors is not null)
                .SelectMany(each => each.Errors!.Select(error => $"{each.InstanceLocation}: {error.Value}")));
        Assert.True(found.IsValid, $"{definition}: {wrong}\n{json}");
    }

    private static string SchemaText()
    {
        string page = File.ReadAllText(Path.Combine(Nipc.Documents, Page));
        int start = page.IndexOf("```json\n", StringComparison.Ordinal) + "```json\n".Length;
        return page[start..page.IndexOf("\n```", start, StringComparison.Ordinal)];
    }

    /// <summary>What the verbs hand to the printer, and the parts of that.</summary>
    private static IEnumerable<Type> Records()
    {
        Type record = Nipc.Code.GetType("NativeIpc.Tool.Output.IJsonRecord", throwOnError: true)!;
        return Nipc.Code.GetTypes().Where(type => type != record && record.IsAssignableFrom(type));
    }

    private static void Walk(Type type, Dictionary<string, SortedDictionary<string, string>> printed)
    {
        if (printed.ContainsKey(type.Name)) return;
        var fields = new SortedDictionary<string, string>(StringComparer.Ordinal);
        printed.Add(type.Name, fields);
        var nullability = new NullabilityInfoContext();

        foreach (PropertyInfo property in type.GetProperties())
        {
            Assert.Empty(property.GetCustomAttributes<JsonAttribute>());
            bool isOptional = nullability.Create(property).ReadState == NullabilityState.Nullable;
            fields.Add(JsonNamingPolicy.CamelCase.ConvertName(property.Name),
                TypeOf(property.PropertyType, printed) + (isOptional ? "?" : ""));
        }
    }

    private static string TypeOf(Type type, Dictionary<string, SortedDictionary<string, string>> printed)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string) || type == typeof(NativeIpcKey) || type == typeof(DateTimeOffset)) return "string";
        if (type == typeof(int) || type == typeof(long)) return "integer";
        if (type == typeof(bool)) return "boolean";
        if (type == typeof(object)) return "any";
        if (type.IsGenericType && typeof(IEnumerable).IsAssignableFrom(type))
            return $"array of {TypeOf(type.GenericTypeArguments[0], printed)}";
        Assert.True(Records().Contains(type), $"The schema has no words for {type}.");
        Walk(type, printed);
        return type.Name;
    }

    private static string TypeOf(JsonNode field)
        => (string?)field["$ref"] is { } reference ? reference["#/$defs/".Length..]
            : (string?)field["type"] switch
            {
                "array" => $"array of {TypeOf(field["items"]!)}",
                null => "any",
                var type => type,
            };
}
