using Limits;

// Without arguments: starts the service twice, sends requests to both, and says what came of it.
return args is ["serve"] ? await RenderService.RunAsync() : await LoadGenerator.RunAsync();
