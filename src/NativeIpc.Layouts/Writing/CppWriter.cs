namespace NativeIpc.Layouts.Writing;

/// <summary>A header for C++11 (and later), which knows QString where Qt is.</summary>
internal sealed class CppWriter(LayoutSet types, string name) : DeclarationWriter(types, name)
{
    protected override string Reserved => CWriter.CommonC + "and and_eq bitand bitor catch char8_t char16_t "
        + "char32_t class co_await co_return co_yield compl concept const_cast consteval constinit decltype delete "
        + "dynamic_cast explicit export friend mutable namespace new noexcept not not_eq operator or or_eq private "
        + "protected public reinterpret_cast requires static_cast template this throw try typeid typename using "
        + "virtual wchar_t xor xor_eq signals slots emit foreach forever ";

    protected override string ReservedTypes => " FILE NULL EOF std nativeipc ";

    private string Namespace => Escaped(Name, Reserved + ReservedTypes);

    protected override void Begin() => Line($$"""
        // {{Note}}
        #ifndef {{SnakeCase.Upper(Name)}}_LAYOUTS_HPP
        #define {{SnakeCase.Upper(Name)}}_LAYOUTS_HPP

        #include <cstddef>
        #include <cstdint>
        #include <cstring>
        #include <stdexcept>
        #include <string>
        #include <type_traits>

        #ifndef NATIVEIPC_LAYOUTS_HPP
        #define NATIVEIPC_LAYOUTS_HPP
        namespace nativeipc {

        constexpr std::size_t layout_head = 64; // bytes before the value, where a segment has a head

        /// The segment does not have the layout that was asked for.
        struct layout_mismatch : std::runtime_error {
            using std::runtime_error::runtime_error;
        };

        template <typename T> struct layout_of; // name, version, fingerprint

        /// Verifies the head of a segment; throws layout_mismatch.
        template <typename T> T &open_layout(void *segment, std::size_t length)
        {
            using layout = layout_of<T>;
            const char *head = static_cast<const char *>(segment);
            const std::string name = layout::name();
            std::uint32_t magic = 0, version, size, at;
            std::uint64_t fingerprint;
            if (length >= layout_head)
                magic = __atomic_load_n(static_cast<const std::uint32_t *>(segment), __ATOMIC_ACQUIRE);
            if (magic == 0)
                throw layout_mismatch("the segment has no head of a layout (yet); " + name + " was expected");
            if (magic != 0x31484C4Eu)
                throw layout_mismatch("the segment begins with other data than the head of a layout; " + name
                    + " was expected");
            std::memcpy(&version, head + 4, 4);
            std::memcpy(&fingerprint, head + 8, 8);
            std::memcpy(&size, head + 16, 4);
            std::memcpy(&at, head + 20, 4);
            if (version != layout::version || fingerprint != layout::fingerprint || size != sizeof(T)) {
                auto say = [](std::uint64_t its_version, std::uint64_t its_fingerprint, std::uint64_t its_size) {
                    std::string hex(16, '0');
                    for (int i = 0; i < 16; i++) hex[i] = "0123456789abcdef"[(its_fingerprint >> (60 - 4 * i)) & 15];
                    return "version " + std::to_string(its_version) + ", fingerprint " + hex + ", "
                        + std::to_string(its_size) + " bytes";
                };
                throw layout_mismatch("the segment has another layout than " + name + " of this program: "
                    + say(version, fingerprint, size) + ", instead of "
                    + say(layout::version, layout::fingerprint, sizeof(T)));
            }
            if (at != layout_head)
                throw layout_mismatch("the segment has " + name + " at offset " + std::to_string(at)
                    + ", instead of 64");
            if (length - layout_head < sizeof(T)) throw layout_mismatch("the segment is too small for " + name);
            return *reinterpret_cast<T *>(static_cast<char *>(segment) + layout_head);
        }

        /// Writes the head of a new segment, whose bytes are zero.
        template <typename T> T &create_layout(void *segment, std::size_t length)
        {
            using layout = layout_of<T>;
            char *head = static_cast<char *>(segment);
            const std::uint32_t version = layout::version, size = sizeof(T), at = layout_head;
            const std::uint64_t fingerprint = layout::fingerprint;
            if (length < layout_head || length - layout_head < sizeof(T))
                throw layout_mismatch(std::string("the segment is too small for ") + layout::name());
            std::memcpy(head + 4, &version, 4);
            std::memcpy(head + 8, &fingerprint, 8);
            std::memcpy(head + 16, &size, 4);
            std::memcpy(head + 20, &at, 4);
            __atomic_store_n(static_cast<std::uint32_t *>(segment), 0x31484C4Eu, __ATOMIC_RELEASE);
            return *reinterpret_cast<T *>(head + layout_head);
        }

        /// A fixed text, up to its first zero byte.
        template <std::size_t N> std::string text(const char (&field)[N])
        {
            std::string all(field, N);
            return all.substr(0, all.find('\0'));
        }

        /// Writes a fixed text and zero behind it; false when it does not fit.
        template <std::size_t N> bool set_text(char (&field)[N], const std::string &text)
        {
            if (text.size() > N || text.find('\0') != std::string::npos) return false;
            std::memset(field, 0, N);
            std::memcpy(field, text.data(), text.size());
            return true;
        }

        } // namespace nativeipc
        #endif

        #if defined(QT_CORE_LIB) && !defined(NATIVEIPC_LAYOUTS_QT)
        #define NATIVEIPC_LAYOUTS_QT
        #include <QtCore/QString>
        namespace nativeipc {
        template <std::size_t N> QString qtext(const char (&field)[N]) { return QString::fromStdString(text(field)); }
        template <std::size_t N> bool set_text(char (&field)[N], const QString &text)
        {
            return set_text(field, text.toStdString());
        }
        } // namespace nativeipc
        #endif

        namespace {{Namespace}} {

        """);

    protected override void Add(LayoutEnum list)
    {
        string name = list.Name, type = CWriter.Scalar(list.Underlying);
        Line($"enum class {name} : std::{type} {{");
        foreach (LayoutValue value in list.Values)
            Line($"    {Escaped(value.Name, Reserved)} = {CWriter.Literal(list.Underlying, value.Number)},");
        Line("};");
        if (list.IsFlags)
        {
            foreach (string sign in new[] { "|", "&", "^" })
            {
                Line($"constexpr {name} operator{sign}({name} a, {name} b)");
                Line($"{{ return {name}(std::{type}(a) {sign} std::{type}(b)); }}");
            }

            Line($"constexpr {name} operator~({name} a) {{ return {name}(std::{type}(~std::{type}(a))); }}");
        }

        Line();
    }

    protected override void Add(LayoutStruct layout)
    {
        string name = layout.Name;
        Line($"struct {name} {{");
        foreach (Member member in Member.Of(layout, Types))
        {
            switch (member.Fields.Count)
            {
                case 0: Line($"    std::uint8_t padding_{Text(member.Offset)}[{Text(member.Size)}];"); break;
                case 1: Line($"    {Declaration(member.Fields[0])};"); break;
                default: AddUnion(member); break;
            }
        }

        foreach (LayoutField field in layout.Fields)
        {
            if (field.IsAtomic) AddAtomic(field);
        }

        Line("};");
        Line();
        AddChecks(layout);
        Line($$"""

            } // namespace {{Namespace}}
            template <> struct nativeipc::layout_of<{{Namespace}}::{{name}}> {
                static constexpr const char *name() { return "{{name}}"; }
                static constexpr std::uint32_t version = {{Text(layout.Version)}};
                static constexpr std::uint64_t fingerprint = UINT64_C({{Hex(layout.Fingerprint)}});
            };
            namespace {{Namespace}} {

            """);
    }

    private void AddUnion(Member member)
    {
        // C++ has no types inside of anonymous unions: what begins later has one before it.
        foreach (LayoutField field in member.Fields)
        {
            if (field.Offset == member.Offset) continue;
            string gap = Text(field.Offset - member.Offset), its = NameOf(field);
            Line($"    struct behind_{its} {{ std::uint8_t before[{gap}]; {Declaration(field)}; }};");
        }

        Line("    union {");
        foreach (LayoutField field in member.Fields)
        {
            string its = NameOf(field);
            Line(field.Offset == member.Offset ? $"        {Declaration(field)};" : $"        behind_{its} at_{its};");
        }

        Line("    };");
    }

    private void AddAtomic(LayoutField field)
    {
        string type = Scalar(field.Type), its = SnakeCase.Of(field.Name), member = NameOf(field);
        Line($$"""

                {{type}} load_{{its}}() const { return __atomic_load_n(&{{member}}, __ATOMIC_ACQUIRE); }
                void store_{{its}}({{type}} its) { __atomic_store_n(&{{member}}, its, __ATOMIC_RELEASE); }
                {{type}} add_{{its}}({{type}} its)
                {
                    return __atomic_add_fetch(&{{member}}, its, __ATOMIC_SEQ_CST);
                }
            """);
    }

    private void AddChecks(LayoutStruct layout)
    {
        string name = layout.Name;
        Line($"static_assert(std::is_standard_layout<{name}>::value && std::is_trivially_copyable<{name}>::value, "
            + $"\"{name}\");");
        Line($"static_assert(sizeof({name}) == {Text(layout.Size)}, \"size of {name}\");");
        Line($"static_assert(alignof({name}) == {Text(layout.Alignment)}, \"alignment of {name}\");");
        foreach (Member member in Member.Of(layout, Types))
        {
            foreach (LayoutField field in member.Fields)
            {
                string path = NameOf(field);
                if (member.Fields.Count > 1 && field.Offset > member.Offset) path = $"at_{path}.{path}";
                Line($"static_assert(offsetof({name}, {path}) == {Text(field.Offset)}, \"offset of {name}.{path}\");");
            }
        }
    }

    protected override void End()
    {
        Line($"}} // namespace {Namespace}");
        Line("#endif");
    }

    private string Declaration(LayoutField field)
    {
        int? length = LayoutSet.TextLength(field.Type);
        string text = $"{(length is null ? Scalar(field.Type) : "char")} {NameOf(field)}";
        foreach (int count in field.Counts) text += $"[{Text(count)}]";
        return length is { } bytes ? $"{text}[{Text(bytes)}]" : text;
    }

    private static string Scalar(string type)
        => LayoutSet.ScalarSize(type) == 0 || type[0] == 'f' ? CWriter.Scalar(type) : "std::" + CWriter.Scalar(type);
}
