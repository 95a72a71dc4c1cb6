namespace NativeIpc.Tool.Code;

/// <summary>A program in C++ with Qt 6.6 or later, which takes the text of a key.</summary>
internal static class QtCode
{
    public static string For(in NativeIpcKey key, IpcObjectKind kind) => kind == IpcObjectKind.SharedMemory
        ? $$"""
        // Attaches to a segment, with Qt 6.6 or later.
        // Build: g++ -fPIC -o open open.cpp $(pkg-config --cflags --libs Qt6Core)
        // On System V the last one to detach removes the segment: so does QSharedMemory.
        #include <QNativeIpcKey>
        #include <QSharedMemory>
        #include <cstdio>

        int main()
        {
            QSharedMemory segment(QNativeIpcKey::fromString(QString::fromUtf8({{Literal.C(key.ToString())}})));
            if (!segment.attach()) {
                std::fprintf(stderr, "%s\n", qPrintable(segment.errorString()));
                return 1;
            }

            std::printf("%lld bytes, the first one is %d\n", static_cast<long long>(segment.size()),
                        static_cast<const unsigned char *>(segment.constData())[0]);
            return 0;
        }

        """
        : $$"""
        // Opens a semaphore, takes a permit and gives it back, with Qt 6.6 or later.
        // Build: g++ -fPIC -o open open.cpp $(pkg-config --cflags --libs Qt6Core)
        // When there is none, Qt makes one of value 1 here and removes it at the end.
        #include <QNativeIpcKey>
        #include <QSystemSemaphore>
        #include <cstdio>

        int main()
        {
            QSystemSemaphore semaphore(
                QNativeIpcKey::fromString(QString::fromUtf8({{Literal.C(key.ToString())}})), 1, QSystemSemaphore::Open);
            if (!semaphore.acquire()) {
                std::fprintf(stderr, "%s\n", qPrintable(semaphore.errorString()));
                return 1;
            }

            std::puts("acquired");
            return semaphore.release() ? 0 : 1;
        }

        """;
}
