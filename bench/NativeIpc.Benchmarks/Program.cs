using BenchmarkDotNet.Running;
using NativeIpc.Benchmarks;

// Without arguments all of them; --filter '*Lock*' some; --job short for a quick look. What BenchmarkDotNet prints goes
// to BenchmarkDotNet.Artifacts.
if (args is ["--check"]) return Check.Run();
BenchmarkSwitcher.FromAssembly(typeof(Check).Assembly).Run(args.Length == 0 ? ["--filter", "*"] : args);
return 0;
