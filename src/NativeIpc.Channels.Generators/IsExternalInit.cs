namespace System.Runtime.CompilerServices;

/// <summary>What the compiler asks for where a record is, and netstandard2.0 has not.</summary>
internal static class IsExternalInit;
