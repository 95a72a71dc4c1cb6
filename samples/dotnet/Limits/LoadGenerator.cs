using System.Diagnostics;
using System.Globalization;
using NativeIpc;

namespace Limits;

/// <summary>Starts the service twice, sends it more than it takes at a time, and looks whether the limit
/// holds.</summary>
internal static class LoadGenerator
{
    private const int Requests = 80;

    internal static async Task<int> RunAsync()
    {
        // What a run that was killed has counted would stay in it.
        using (SharedMemory gauge = SharedMemory.CreateOrOpen(NativeIpcKey.Parse("posix:/org.example.gauge"), 8))
            gauge.Span.Clear();
        Process[] services = [Start(), Start()];
        try
        {
            string[] urls = [await First(services[0]), await First(services[1])];
            Task<string>[] metrics = [.. services.Select(service => service.StandardOutput.ReadToEndAsync())];
            using var client = new HttpClient { Timeout = TimeSpan.FromMinutes(2) };
            IEnumerable<Task<HttpResponseMessage>> sent = Enumerable.Range(0, Requests).Select(
                i => client.GetAsync($"{urls[i % 2]}/{(i % 4 < 2 ? "render" : "polly")}"));
            HttpResponseMessage[] answers = await Task.WhenAll(sent);
            int served = answers.Count(answer => answer.IsSuccessStatusCode);
            int most = int.Parse(await client.GetStringAsync($"{urls[0]}/most"), CultureInfo.InvariantCulture);
            string health = await client.GetStringAsync($"{urls[1]}/health");
            foreach (Process service in services) service.StandardInput.Close();
            foreach (string said in await Task.WhenAll(metrics)) Console.Write(said);
            Console.WriteLine($"{served} of {Requests} requests served by 2 processes; at most {most} at a time; "
                + $"health: {health}");
            return served == Requests && most is 1 or 2 ? 0 : 1;
        }
        finally
        {
            foreach (Process service in services)
            {
                service.StandardInput.Close();
                await service.WaitForExitAsync();
                service.Dispose();
            }
        }
    }

    private static Process Start() => Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["serve"])
    {
        RedirectStandardInput = true, RedirectStandardOutput = true,
    })!;

    /// <summary>The first line that is an address: what the exporter prints may come before it.</summary>
    private static async Task<string> First(Process service)
    {
        while (await service.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("http", StringComparison.Ordinal)) return line;
        }

        throw new InvalidOperationException("It did not start.");
    }
}
