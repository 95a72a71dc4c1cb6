using System.ComponentModel;
using System.Globalization;

namespace NativeIpc;

/// <summary>
/// Converts a <see cref="NativeIpcKey"/> from and to its text form, for configuration binders and designers; the empty
/// text is the invalid key. Found by <see cref="TypeDescriptor"/>; programs need not name it. Thread-safe.
/// </summary>
public sealed class NativeIpcKeyTypeConverter : TypeConverter
{
    /// <inheritdoc/>
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType)
        => sourceType == typeof(string) || base.CanConvertFrom(context, sourceType);

    /// <inheritdoc/>
    /// <exception cref="FormatException">The text is not a key; the message says which part is wrong and
    /// where.</exception>
    public override object? ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value)
        => value switch
    {
        "" => default(NativeIpcKey),
        string text => NativeIpcKey.Parse(text),
        _ => base.ConvertFrom(context, culture, value),
    };

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The destination is not a string, or the key's type has no text
    /// form.</exception>
    public override object? ConvertTo(ITypeDescriptorContext? context, CultureInfo? culture, object? value,
        Type destinationType)
    {
        if (destinationType != typeof(string) || value is not NativeIpcKey key)
            return base.ConvertTo(context, culture, value, destinationType);
        string text = key.ToString();
        if (text.Length == 0 && key != default) throw GetConvertToException(value, destinationType);
        return text;
    }
}
