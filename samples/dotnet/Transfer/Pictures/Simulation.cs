using System.Runtime.CompilerServices;

namespace Transfer.Pictures;

/// <summary>Glowing balls that jump. All that it knows is in the head of the last picture.</summary>
internal sealed class Simulation : IArtist
{
    private const float Gravity = 0.6f;
    private const int Radius = 110;

    // Red, green, blue of each, from 0 to 1.
    private static readonly (float Red, float Green, float Blue)[] s_colours =
    [
        (1.0f, 0.25f, 0.2f), (1.0f, 0.55f, 0.1f), (1.0f, 0.9f, 0.2f), (0.3f, 0.95f, 0.3f), (0.1f, 0.9f, 0.8f),
        (0.2f, 0.6f, 1.0f), (0.45f, 0.35f, 1.0f), (0.85f, 0.3f, 1.0f), (1.0f, 0.35f, 0.65f),
    ];

    private Balls _balls = Start();

    public int Width => 1280;

    public int Height => 720;

    public void GoOnFrom(in PictureHead last) => _balls = last.Balls;

    public void Draw(ref PictureHead head, Span<uint> pixels)
    {
        for (int y = 0; y < Height; y++) pixels.Slice(y * Width, Width).Fill(Sky(y, head.Number));
        for (int i = 0; i < Balls.Count; i++)
        {
            Move(ref _balls[i], i);
            Glow(pixels, _balls[i], s_colours[i]);
        }

        head.Balls = _balls;
    }

    public void Dispose()
    {
    }

    private static Balls Start()
    {
        var balls = default(Balls);
        for (int i = 0; i < Balls.Count; i++)
        {
            balls[i] = new Ball { X = 130 + (125 * i), Y = 150 + (37 * i % 200),
                SpeedX = (i % 2 == 0 ? 1 : -1) * (4 + i) };
        }

        return balls;
    }

    private void Move(ref Ball ball, int index)
    {
        ball.SpeedY += Gravity;
        ball.X += ball.SpeedX;
        ball.Y += ball.SpeedY;
        if ((ball.X < Radius && ball.SpeedX < 0) || (ball.X > Width - Radius && ball.SpeedX > 0))
            ball.SpeedX = -ball.SpeedX;

        // As fast as for a height of its own: errors of rounding do not add up.
        if (ball.Y > Height - Radius && ball.SpeedY > 0) ball.SpeedY = -MathF.Sqrt(2 * Gravity * (300 + (25 * index)));
    }

    private uint Sky(int y, ulong number)
    {
        float wave = 0.5f + (0.5f * MathF.Sin((y * 0.006f) + (number * 0.04f)));
        return (uint)(10 + (40 * wave)) | ((uint)(12 + (18 * wave)) << 8) | ((uint)(40 + (50f * y / Height)) << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Glow(Span<uint> pixels, Ball ball, (float Red, float Green, float Blue) colour)
    {
        const float Square = Radius * Radius;
        int left = Math.Max(0, (int)ball.X - Radius), right = Math.Min(Width, (int)ball.X + Radius);
        int top = Math.Max(0, (int)ball.Y - Radius), bottom = Math.Min(Height, (int)ball.Y + Radius);
        for (int y = top; y < bottom; y++)
        {
            Span<uint> row = pixels.Slice(y * Width, Width);
            float down = y - ball.Y;
            for (int x = left; x < right; x++)
            {
                float across = x - ball.X;
                float light = 1 - (((across * across) + (down * down)) / Square);
                if (light <= 0) continue;
                light *= 300 * light;
                uint old = row[x];
                row[x] = Sum(old & 255, colour.Red * light) | (Sum((old >> 8) & 255, colour.Green * light) << 8)
                    | (Sum((old >> 16) & 255, colour.Blue * light) << 16);
            }
        }
    }

    private static uint Sum(uint old, float light) => Math.Min(255, old + (uint)light);
}
