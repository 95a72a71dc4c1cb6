namespace NativeIpc.Testing;

/// <summary>How often a test does again what has another course each time: a sample, or all of it in
/// <c>./test.sh --long</c>, which sets <c>NATIVEIPC_LONG=1</c>.</summary>
internal static class Sample
{
    private static readonly bool s_isLong = Environment.GetEnvironmentVariable("NATIVEIPC_LONG") == "1";

    internal static int Of(int all, int few) => s_isLong ? all : few;
}
