namespace NativeIpc.Tool.Code;

/// <summary>A program in C that knows the native key only.</summary>
internal static class CCode
{
    public static string For(in NativeIpcKey key, IpcObjectKind kind) => (key.Type, kind) switch
    {
        (NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory) => PosixSegment(key),
        (NativeIpcKeyType.PosixRealtime, _) => PosixSemaphore(key),
        (NativeIpcKeyType.Windows, IpcObjectKind.SharedMemory) => WindowsSegment(key),
        (NativeIpcKeyType.Windows, _) => WindowsSemaphore(key),
        (_, IpcObjectKind.SharedMemory) => SystemVSegment(key),
        _ => SystemVSemaphore(key),
    };

    private static string PosixSegment(in NativeIpcKey key) => $$"""
        // Attaches to a POSIX segment. Build: cc -o open open.c -lrt
        #include <fcntl.h>
        #include <stdio.h>
        #include <sys/mman.h>
        #include <sys/stat.h>

        int main(void)
        {
            int file = shm_open({{Literal.C(key.NativeKey)}}, O_RDWR, 0);
            struct stat status;
            if (file == -1 || fstat(file, &status) == -1) return perror("shm_open"), 1;
            unsigned char *bytes = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            if (bytes == MAP_FAILED) return perror("mmap"), 1;

            printf("%lld bytes, the first one is %d\n", (long long)status.st_size, bytes[0]);
            return munmap(bytes, status.st_size);
        }

        """;

    private static string PosixSemaphore(in NativeIpcKey key) => $$"""
        // Opens a POSIX semaphore, takes a permit and gives it back. Build: cc -pthread -o open open.c
        #include <errno.h>
        #include <semaphore.h>
        #include <stdio.h>

        int main(void)
        {
            sem_t *semaphore = sem_open({{Literal.C(key.NativeKey)}}, 0);
            if (semaphore == SEM_FAILED) return perror("sem_open"), 1;
            while (sem_wait(semaphore) == -1)
                if (errno != EINTR) return perror("sem_wait"), 1;

            puts("acquired");
            if (sem_post(semaphore) == -1) return perror("sem_post"), 1;
            return sem_close(semaphore);
        }

        """;

    private static string SystemVSegment(in NativeIpcKey key) => $$"""
        // Attaches to a System V segment, whose key is made from a file. Build: cc -o open open.c
        #include <stdio.h>
        #include <sys/ipc.h>
        #include <sys/shm.h>

        int main(void)
        {
            key_t key = ftok({{Literal.C(key.NativeKey)}}, {{(int)key.Type}});
            if (key == -1) return perror("ftok"), 1;
            int id = shmget(key, 0, 0);
            struct shmid_ds status;
            if (id == -1 || shmctl(id, IPC_STAT, &status) == -1) return perror("shmget"), 1;
            unsigned char *bytes = shmat(id, NULL, 0);
            if (bytes == (void *)-1) return perror("shmat"), 1;

            printf("%lld bytes, the first one is %d\n", (long long)status.shm_segsz, bytes[0]);
            return shmdt(bytes);
        }

        """;

    private static string SystemVSemaphore(in NativeIpcKey key) => $$"""
        // Opens a System V semaphore (number 0 of its set), takes a permit and gives it back. Build: cc -o open open.c
        #include <errno.h>
        #include <stdio.h>
        #include <sys/ipc.h>
        #include <sys/sem.h>

        int main(void)
        {
            key_t key = ftok({{Literal.C(key.NativeKey)}}, {{(int)key.Type}});
            if (key == -1) return perror("ftok"), 1;
            int id = semget(key, 0, 0);
            if (id == -1) return perror("semget"), 1;
            struct sembuf acquire = { 0, -1, SEM_UNDO }, release = { 0, 1, SEM_UNDO };
            while (semop(id, &acquire, 1) == -1)
                if (errno != EINTR) return perror("semop"), 1;

            puts("acquired");
            if (semop(id, &release, 1) == -1) return perror("semop"), 1;
            return 0;
        }

        """;

    private static string WindowsSegment(in NativeIpcKey key) => $$"""
        // Attaches to a Windows segment. Build: cl open.c, or x86_64-w64-mingw32-gcc -o open.exe open.c
        #include <stdio.h>
        #include <windows.h>

        int main(void)
        {
            HANDLE mapping = OpenFileMappingW(FILE_MAP_ALL_ACCESS, FALSE, {{Literal.WideC(key.NativeKey)}});
            unsigned char *bytes = mapping == NULL ? NULL : MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0);
            MEMORY_BASIC_INFORMATION status;
            if (bytes == NULL || VirtualQuery(bytes, &status, sizeof status) == 0)
                return fprintf(stderr, "error %lu\n", GetLastError()), 1;

            printf("%llu bytes (whole pages), the first one is %d\n", (unsigned long long)status.RegionSize, bytes[0]);
            UnmapViewOfFile(bytes);
            return CloseHandle(mapping) ? 0 : 1;
        }

        """;

    private static string WindowsSemaphore(in NativeIpcKey key) => $$"""
        // Opens a Windows semaphore, takes a permit and gives it back.
        // Build: cl open.c, or x86_64-w64-mingw32-gcc -o open.exe open.c
        #include <stdio.h>
        #include <windows.h>

        int main(void)
        {
            HANDLE semaphore =
                OpenSemaphoreW(SYNCHRONIZE | SEMAPHORE_MODIFY_STATE, FALSE, {{Literal.WideC(key.NativeKey)}});
            if (semaphore == NULL || WaitForSingleObject(semaphore, INFINITE) != WAIT_OBJECT_0)
                return fprintf(stderr, "error %lu\n", GetLastError()), 1;

            puts("acquired");
            ReleaseSemaphore(semaphore, 1, NULL);
            return CloseHandle(semaphore) ? 0 : 1;
        }

        """;
}
