using System.Threading.RateLimiting;
using NativeIpc;
using OpenTelemetry.Metrics;
using Polly;
using Polly.RateLimiting;

namespace Limits;

/// <summary>Renders pictures, two at a time in all processes of the machine.</summary>
internal static class RenderService
{
    private const string Limiter = "renders";

    internal static async Task<int> RunAsync()
    {
        // Its settings stand beside the program, wherever it is started.
        WebApplicationBuilder builder = WebApplication.CreateBuilder(
            new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddNativeIpc(builder.Configuration.GetSection("NativeIpc"))
            .AddSharedMemory("gauge")
            .AddLimiter(Limiter);
        builder.Services.AddHealthChecks().AddNativeIpc();
        builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics.AddMeter("NativeIpc").AddConsoleExporter());
        builder.Services.AddRateLimiter(options =>
        {
            options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            options.AddPolicy("machine", context => RateLimitPartition.Get(Limiter,
                name => context.RequestServices.GetRequiredKeyedService<RateLimiter>(name)));
        });

        WebApplication app = builder.Build();
        app.UseRateLimiter();
        app.MapHealthChecks("/health");

        // Once by the middleware of ASP.NET Core, and once by Polly.
        app.MapGet("/render", Render).RequireRateLimiting("machine");
        ResiliencePipeline? pipeline = null;
        app.MapGet("/polly", async ([FromKeyedServices(Limiter)] RateLimiter limiter,
            [FromKeyedServices("gauge")] SharedMemory gauge, CancellationToken cancel) =>
        {
            pipeline ??= new ResiliencePipelineBuilder().AddRateLimiter(limiter).Build();
            return await pipeline.ExecuteAsync(async _ => await Render(gauge), cancel);
        });
        app.MapGet("/most", ([FromKeyedServices("gauge")] SharedMemory gauge) => gauge.GetReference<int>(4));

        await app.StartAsync();
        Console.WriteLine(app.Urls.Single());
        await Console.In.ReadToEndAsync(); // the program that started it closes this when it is to end
        await app.StopAsync();
        await app.DisposeAsync();
        return 0;
    }

    /// <summary>Counts who is inside, and the most there were, in memory that both processes share.</summary>
    private static async Task<string> Render([FromKeyedServices("gauge")] SharedMemory gauge)
    {
        int inside = Interlocked.Increment(ref gauge.GetReference<int>(0));
        for (int most = Most(gauge); inside > most; most = Most(gauge))
            Interlocked.CompareExchange(ref gauge.GetReference<int>(4), inside, most);
        await Task.Delay(TimeSpan.FromMilliseconds(5)); // stands for the work of a renderer
        Interlocked.Decrement(ref gauge.GetReference<int>(0));
        return "a picture";
    }

    private static int Most(SharedMemory gauge) => Volatile.Read(ref gauge.GetReference<int>(4));
}
