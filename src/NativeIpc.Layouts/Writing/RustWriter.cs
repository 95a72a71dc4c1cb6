namespace NativeIpc.Layouts.Writing;

/// <summary>A module for Rust 1.57 (and later) without crates.</summary>
internal sealed class RustWriter(LayoutSet types, string name) : DeclarationWriter(types, name)
{
    protected override string Reserved => " abstract as async await become box break const continue crate do dyn "
        + "else enum extern false final fn for gen if impl in let loop macro match mod move mut override priv pub "
        + "ref return _ self static struct super trait true try type typeof union unsafe unsized use virtual where "
        + "while yield ";

    protected override string ReservedTypes => " Self Layout LayoutMismatch Ok Err std bool char str usize isize u128 "
        + "i128 f16 f128 text set_text open_layout create_layout ";

    protected override void Begin() => Line($$"""
        // {{Note}}
        #![allow(dead_code, non_camel_case_types, non_upper_case_globals)]

        /// Bytes before the value, where a segment has a head.
        pub const LAYOUT_HEAD: usize = 64;
        const MAGIC: u32 = 0x3148_4C4E;

        /// What every layout of this module says of itself.
        pub trait Layout: std::marker::Copy {
            const NAME: &'static str;
            const VERSION: u32;
            const FINGERPRINT: u64;
        }

        /// The segment does not have the layout that was asked for; the text says why.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct LayoutMismatch(pub std::string::String);

        impl std::fmt::Display for LayoutMismatch {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::error::Error for LayoutMismatch {}

        /// Verifies the head of a segment and gives the address of the value behind it.
        ///
        /// # Safety
        /// The segment has `length` bytes at an address that is a multiple of 8.
        pub unsafe fn open_layout<T: Layout>(
            segment: *mut u8, length: usize,
        ) -> std::result::Result<*mut T, LayoutMismatch> {
            use std::sync::atomic::{AtomicU32, Ordering};
            let size = std::mem::size_of::<T>();
            let fail = |why: std::string::String| Err(LayoutMismatch(why));
            let magic = if length < LAYOUT_HEAD { 0 } else { (*(segment as *const AtomicU32)).load(Ordering::Acquire) };
            if magic == 0 {
                return fail(format!("the segment has no head of a layout (yet); {} was expected", T::NAME));
            }
            if magic != MAGIC {
                return fail(format!(
                    "the segment begins with other data than the head of a layout; {} was expected", T::NAME));
            }
            let version = (segment.add(4) as *const u32).read();
            let fingerprint = (segment.add(8) as *const u64).read();
            let (its_size, at) = ((segment.add(16) as *const u32).read(), (segment.add(20) as *const u32).read());
            if version != T::VERSION || fingerprint != T::FINGERPRINT || its_size as usize != size {
                return fail(format!(
                    "the segment has another layout than {} of this program: version {}, fingerprint {:016x}, {} \
                     bytes, instead of version {}, fingerprint {:016x}, {} bytes",
                    T::NAME, version, fingerprint, its_size, T::VERSION, T::FINGERPRINT, size));
            }
            if at as usize != LAYOUT_HEAD {
                return fail(format!("the segment has {} at offset {}, instead of 64", T::NAME, at));
            }
            if length - LAYOUT_HEAD < size {
                return fail(format!("the segment is too small for {}", T::NAME));
            }
            Ok(segment.add(LAYOUT_HEAD) as *mut T)
        }

        /// Writes the head of a new segment, whose bytes are zero, and gives the address of the value behind it.
        ///
        /// # Safety
        /// The segment has `length` bytes at an address that is a multiple of 8.
        pub unsafe fn create_layout<T: Layout>(
            segment: *mut u8, length: usize,
        ) -> std::result::Result<*mut T, LayoutMismatch> {
            use std::sync::atomic::{AtomicU32, Ordering};
            let size = std::mem::size_of::<T>();
            if length < LAYOUT_HEAD || length - LAYOUT_HEAD < size {
                return Err(LayoutMismatch(format!("the segment is too small for {}", T::NAME)));
            }
            (segment.add(4) as *mut u32).write(T::VERSION);
            (segment.add(8) as *mut u64).write(T::FINGERPRINT);
            (segment.add(16) as *mut u32).write(size as u32);
            (segment.add(20) as *mut u32).write(LAYOUT_HEAD as u32);
            (*(segment as *const AtomicU32)).store(MAGIC, Ordering::Release);
            Ok(segment.add(LAYOUT_HEAD) as *mut T)
        }

        /// A fixed text, up to its first zero byte.
        pub fn text(field: &[u8]) -> std::borrow::Cow<'_, str> {
            let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
            std::string::String::from_utf8_lossy(&field[..end])
        }

        /// Writes a fixed text and zero behind it; false when it does not fit.
        pub fn set_text(field: &mut [u8], text: &str) -> bool {
            if text.len() > field.len() || text.bytes().any(|byte| byte == 0) {
                return false;
            }
            field.fill(0);
            field[..text.len()].copy_from_slice(text.as_bytes());
            true
        }

        """);

    protected override void Add(LayoutEnum list)
    {
        string name = list.Name;
        // No enum of Rust: what another process writes may be none of its values.
        Line("#[repr(transparent)]");
        Line("#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]");
        Line($"pub struct {name}(pub {list.Underlying});");
        Line();
        Line($"impl {name} {{");
        foreach (LayoutValue value in list.Values)
            Line($"    pub const {SnakeCase.Upper(value.Name)}: {name} = {name}({value.Number});");
        if (list.IsFlags)
        {
            Line($"    pub const fn contains(self, other: {name}) -> bool {{ self.0 & other.0 == other.0 }}");
            Line("}");
            Line();
            Line($"impl std::ops::BitOr for {name} {{");
            Line($"    type Output = {name};");
            Line($"    fn bitor(self, other: {name}) -> {name} {{ {name}(self.0 | other.0) }}");
        }

        Line("}");
        Line();
    }

    protected override void Add(LayoutStruct layout)
    {
        string name = layout.Name;
        List<Member> members = Member.Of(layout, Types);
        List<string> fields = [];
        List<(string Path, int Offset)> places = [];
        foreach (Member member in members)
        {
            if (member.Fields.Count == 0)
            {
                fields.Add($"    pub padding_{Text(member.Offset)}: [u8; {Text(member.Size)}],");
            }
            else if (member.Fields.Count == 1)
            {
                string own = NameOf(member.Fields[0]);
                fields.Add($"    pub {own}: {TypeOf(member.Fields[0])},");
                places.Add((own, member.Offset));
            }
            else
            {
                fields.Add(Union(name, member, places));
            }
        }

        Line("#[repr(C)]");
        Line("#[derive(Clone, Copy)]");
        Line($"pub struct {name} {{");
        foreach (string field in fields) Line(field);
        Line("}");
        Line();
        Line($"const _: [(); {Text(layout.Size)}] = [(); std::mem::size_of::<{name}>()];");
        Line($"const _: [(); {Text(layout.Alignment)}] = [(); std::mem::align_of::<{name}>()];");
        Line();
        Line($"impl Layout for {name} {{");
        Line($"    const NAME: &'static str = \"{name}\";");
        Line($"    const VERSION: u32 = {Text(layout.Version)};");
        Line($"    const FINGERPRINT: u64 = {Hex(layout.Fingerprint)};");
        Line("}");
        Line();
        AddMethods(layout, places);
    }

    /// <summary>Writes the type of fields that share their place.</summary>
    /// <returns>The field of this type.</returns>
    private string Union(string name, Member member, List<(string Path, int Offset)> places)
    {
        List<string> parts = [];
        string union = $"at_{Text(member.Offset)}";
        foreach (LayoutField field in member.Fields)
        {
            int gap = field.Offset - member.Offset;
            string own = NameOf(field), type = TypeOf(field);
            places.Add((gap == 0 ? $"{union}.{own}" : $"{union}.{own}.{own}", field.Offset));
            if (gap > 0)
            {
                string inner = $"{name}_{own}";
                Line("#[repr(C)]");
                Line("#[derive(Clone, Copy)]");
                Line($"pub struct {inner} {{ pub before: [u8; {Text(gap)}], pub {own}: {type} }}");
                Line();
                type = inner;
            }

            parts.Add($"    pub {own}: {type},");
        }

        Line("#[repr(C)]");
        Line("#[derive(Clone, Copy)]");
        Line($"pub union {name}_{union} {{");
        foreach (string part in parts) Line(part);
        Line("}");
        Line();
        return $"    pub {union}: {name}_{union},";
    }

    private void AddMethods(LayoutStruct layout, List<(string Path, int Offset)> places)
    {
        string name = layout.Name;
        Line($"impl {name} {{");
        Line("    /// Whether each field is where the description says.");
        Line("    pub fn is_laid_out() -> bool {");
        // Static: the stack of a thread may be smaller than a value.
        Line($"        static PLACE: std::mem::MaybeUninit<{name}> = std::mem::MaybeUninit::uninit();");
        Line("        let (base, mut fits) = (PLACE.as_ptr(), true);");
        foreach ((string path, int offset) in places)
        {
            Line($"        fits &= unsafe {{ std::ptr::addr_of!((*base).{path}) as usize }} - base as usize "
                + $"== {Text(offset)};");
        }

        Line("        fits");
        Line("    }");
        foreach (LayoutField field in layout.Fields)
        {
            if (field.IsAtomic) AddAtomic(name, field);
        }

        Line("}");
        Line();
    }

    protected override void End()
    {
        Line("#[test]");
        Line("fn every_field_is_where_the_description_says() {");
        foreach (LayoutType type in Types.Types)
        {
            if (type is LayoutStruct) Line($"    assert!({type.Name}::is_laid_out(), \"{type.Name}\");");
        }

        Line("}");
    }

    private void AddAtomic(string name, LayoutField field)
    {
        string its = SnakeCase.Of(field.Name), atomic = "Atomic" + field.Type.ToUpperInvariant();
        Line($$"""

                /// Reads with acquire order.
                ///
                /// # Safety
                /// The address is that of a value.
                pub unsafe fn load_{{its}}(value: *const {{name}}) -> {{field.Type}} {
                    let field = std::ptr::addr_of!((*value).{{NameOf(field)}}) as *const std::sync::atomic::{{atomic}};
                    (*field).load(std::sync::atomic::Ordering::Acquire)
                }

                /// Writes with release order.
                ///
                /// # Safety
                /// The address is that of a value.
                pub unsafe fn store_{{its}}(value: *mut {{name}}, its: {{field.Type}}) {
                    let field = std::ptr::addr_of!((*value).{{NameOf(field)}}) as *const std::sync::atomic::{{atomic}};
                    (*field).store(its, std::sync::atomic::Ordering::Release)
                }
            """);
    }

    private static string TypeOf(LayoutField field)
    {
        string type = LayoutSet.TextLength(field.Type) is { } length ? $"[u8; {Text(length)}]" : field.Type;
        for (int i = field.Counts.Length - 1; i >= 0; i--) type = $"[{type}; {Text(field.Counts[i])}]";
        return type;
    }
}
