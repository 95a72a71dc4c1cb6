namespace NativeIpc.Layouts.Writing;

/// <summary>A header for C11 (and later), with gcc and clang for what is atomic.</summary>
internal sealed class CWriter(LayoutSet types, string name) : DeclarationWriter(types, name)
{
    protected override string Reserved => CommonC + "restrict _Bool _Atomic complex imaginary noreturn typeof_unqual ";

    protected override string ReservedTypes => " FILE NULL EOF I ";

    // With macros of gcc without -std=c11, and of the headers that programs have beside this one.
    internal const string CommonC = " asm auto break case char const continue default do double else enum extern "
        + "float for goto if inline int long register return short signed sizeof static struct switch typedef "
        + "union unsigned void volatile while bool true false alignas alignof thread_local static_assert nullptr "
        + "typeof constexpr errno linux unix stdin stdout stderr ";

    protected override void Begin() => Line($$"""
        /* {{Note}} */
        #ifndef {{SnakeCase.Upper(Name)}}_LAYOUTS_H
        #define {{SnakeCase.Upper(Name)}}_LAYOUTS_H

        #include <stddef.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <string.h>

        #ifndef NATIVEIPC_LAYOUT_HEAD
        #define NATIVEIPC_LAYOUT_HEAD 64 /* bytes before the value, where a segment has a head */

        /* NULL, and in `why` what is wrong, when the segment does not have this layout; otherwise the value. */
        static inline void *nativeipc_layout_open(void *segment, size_t length, const char *name, uint32_t version,
            uint64_t fingerprint, size_t size, char *why, size_t why_length)
        {
            const char *head = (const char *)segment;
            uint32_t magic = 0, its_version, its_size, at;
            uint64_t its_fingerprint;
            if (length >= NATIVEIPC_LAYOUT_HEAD) magic = __atomic_load_n((const uint32_t *)segment, __ATOMIC_ACQUIRE);
            if (magic != 0x31484C4Eu) {
                snprintf(why, why_length, magic == 0 ? "the segment has no head of a layout (yet); %s was expected"
                    : "the segment begins with other data than the head of a layout; %s was expected", name);
                return NULL;
            }
            memcpy(&its_version, head + 4, 4);
            memcpy(&its_fingerprint, head + 8, 8);
            memcpy(&its_size, head + 16, 4);
            memcpy(&at, head + 20, 4);
            if (its_version != version || its_fingerprint != fingerprint || its_size != size) {
                snprintf(why, why_length, "the segment has another layout than %s of this program: version %lu, "
                    "fingerprint %016llx, %lu bytes, instead of version %lu, fingerprint %016llx, %lu bytes", name,
                    (unsigned long)its_version, (unsigned long long)its_fingerprint, (unsigned long)its_size,
                    (unsigned long)version, (unsigned long long)fingerprint, (unsigned long)size);
                return NULL;
            }
            if (at != NATIVEIPC_LAYOUT_HEAD) {
                snprintf(why, why_length, "the segment has %s at offset %lu, instead of 64", name, (unsigned long)at);
                return NULL;
            }
            if (length - NATIVEIPC_LAYOUT_HEAD < size) {
                snprintf(why, why_length, "the segment is too small for %s", name);
                return NULL;
            }
            return (char *)segment + NATIVEIPC_LAYOUT_HEAD;
        }

        /* Writes the head of a new segment, whose bytes are zero. NULL when it is too small; otherwise the value. */
        static inline void *nativeipc_layout_create(void *segment, size_t length, uint32_t version,
            uint64_t fingerprint, uint32_t size)
        {
            char *head = (char *)segment;
            const uint32_t at = NATIVEIPC_LAYOUT_HEAD;
            if (length < NATIVEIPC_LAYOUT_HEAD || length - NATIVEIPC_LAYOUT_HEAD < size) return NULL;
            memcpy(head + 4, &version, 4);
            memcpy(head + 8, &fingerprint, 8);
            memcpy(head + 16, &size, 4);
            memcpy(head + 20, &at, 4);
            __atomic_store_n((uint32_t *)segment, 0x31484C4Eu, __ATOMIC_RELEASE);
            return head + NATIVEIPC_LAYOUT_HEAD;
        }

        /* Writes a fixed text and zero behind it; -1 when it does not fit. Read it with "%.*s" and strnlen. */
        static inline int nativeipc_text_set(char *field, size_t length, const char *text)
        {
            size_t given = strlen(text);
            if (given > length) return -1;
            memset(field, 0, length);
            memcpy(field, text, given);
            return 0;
        }
        #endif

        """);

    protected override void Add(LayoutEnum list)
    {
        Line($"typedef {Scalar(list.Underlying)} {list.Name};");
        foreach (LayoutValue value in list.Values)
            Line($"#define {list.Name}_{value.Name} (({list.Name}){Literal(list.Underlying, value.Number)})");
        Line();
    }

    protected override void Add(LayoutStruct layout)
    {
        string name = layout.Name;
        Line($"typedef struct {name} {{");
        AddMembers(layout);
        Line($"}} {name};");
        Line();
        Line($"_Static_assert(sizeof({name}) == {Text(layout.Size)}, \"size of {name}\");");
        Line($"_Static_assert(_Alignof({name}) == {Text(layout.Alignment)}, \"alignment of {name}\");");
        foreach (LayoutField field in layout.Fields)
        {
            Line($"_Static_assert(offsetof({name}, {NameOf(field)}) == {Text(field.Offset)}, "
                + $"\"offset of {name}.{NameOf(field)}\");");
        }

        string upper = SnakeCase.Upper(name), arguments = $"{upper}_VERSION, {upper}_FINGERPRINT, sizeof({name})";
        Line($$"""

            #define {{upper}}_VERSION {{Text(layout.Version)}}u
            #define {{upper}}_FINGERPRINT UINT64_C({{Hex(layout.Fingerprint)}})

            static inline {{name}} *{{name}}_open(void *segment, size_t length, char *why, size_t why_length)
            {
                return ({{name}} *)nativeipc_layout_open(segment, length, "{{name}}", {{upper}}_VERSION,
                    {{upper}}_FINGERPRINT, sizeof({{name}}), why, why_length);
            }

            static inline {{name}} *{{name}}_create(void *segment, size_t length)
            {
                return ({{name}} *)nativeipc_layout_create(segment, length, {{arguments}});
            }

            """);
        foreach (LayoutField field in layout.Fields)
        {
            if (!field.IsAtomic) continue;
            string type = Scalar(field.Type), its = SnakeCase.Of(field.Name), member = NameOf(field);
            Line($$"""
                static inline {{type}} {{name}}_load_{{its}}(const {{name}} *value)
                {
                    return __atomic_load_n(&value->{{member}}, __ATOMIC_ACQUIRE);
                }

                static inline void {{name}}_store_{{its}}({{name}} *value, {{type}} its)
                {
                    __atomic_store_n(&value->{{member}}, its, __ATOMIC_RELEASE);
                }

                static inline {{type}} {{name}}_add_{{its}}({{name}} *value, {{type}} its)
                {
                    return __atomic_add_fetch(&value->{{member}}, its, __ATOMIC_SEQ_CST);
                }

                """);
        }
    }

    protected override void End() => Line("#endif");

    private void AddMembers(LayoutStruct layout)
    {
        foreach (Member member in Member.Of(layout, Types))
        {
            switch (member.Fields.Count)
            {
                case 0: Line($"    uint8_t padding_{Text(member.Offset)}[{Text(member.Size)}];"); break;
                case 1: Line($"    {Declaration(member.Fields[0])};"); break;
                default:
                    Line("    union {");
                    foreach (LayoutField field in member.Fields)
                    {
                        string gap = Text(field.Offset - member.Offset), its = Declaration(field);
                        Line(gap == "0" ? $"        {its};"
                            : $"        struct {{ uint8_t before_{NameOf(field)}[{gap}]; {its}; }};");
                    }

                    Line("    };");
                    break;
            }
        }
    }

    private string Declaration(LayoutField field)
    {
        int? length = LayoutSet.TextLength(field.Type);
        string text = $"{(length is null ? Scalar(field.Type) : "char")} {NameOf(field)}";
        foreach (int count in field.Counts) text += $"[{Text(count)}]";
        return length is { } bytes ? $"{text}[{Text(bytes)}]" : text;
    }

    /// <summary>A scalar's type; another type has the name that it has.</summary>
    internal static string Scalar(string type) => type switch
    {
        "f32" => "float",
        "f64" => "double",
        _ when LayoutSet.ScalarSize(type) == 0 => type,
        _ => (type[0] == 'u' ? "uint" : "int") + type[1..] + "_t",
    };

    /// <summary>An integer as C has it: without a warning, and the smallest one of its type, too.</summary>
    internal static string Literal(string type, string value) => type switch
    {
        _ when value is "-9223372036854775808" => "INT64_MIN",
        "u64" => $"UINT64_C({value})",
        "i64" => $"INT64_C({value})",
        "i32" when value is "-2147483648" => "INT32_MIN",
        "u32" => value + "u",
        _ => value,
    };
}
