namespace NativeIpc.Tool.Code;

/// <summary>A program in Python that needs nothing but its standard library and knows the native key only.</summary>
internal static class PythonCode
{
    private const string Unix = """
        import ctypes
        import ctypes.util
        import os

        # The C library before glibc 2.34 keeps these functions in librt.
        libc = ctypes.CDLL(ctypes.util.find_library("rt") or None, use_errno=True)


        def checked(result, failure, call):
            if result == failure:
                raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")
            return result


        """;

    private const string Windows = """
        import ctypes
        from ctypes import wintypes

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)


        def checked(result):
            if not result:
                raise ctypes.WinError(ctypes.get_last_error())
            return result


        """;

    public static string For(in NativeIpcKey key, IpcObjectKind kind) => (key.Type, kind) switch
    {
        (NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory) =>
            "# Attaches to a POSIX segment. Run: python3 open.py\nimport mmap\n" + Unix + $$"""
            file = checked(libc.shm_open({{Bytes(key.NativeKey)}}, os.O_RDWR), -1, "shm_open")
            with mmap.mmap(file, 0) as segment:
                print(f"{len(segment)} bytes, the first one is {segment[0]}")

            """,
        (NativeIpcKeyType.PosixRealtime, _) =>
            "# Opens a POSIX semaphore, takes a permit and gives it back. Run: python3 open.py\n"
                + Unix.Replace("find_library(\"rt\")", "find_library(\"pthread\")", StringComparison.Ordinal)
            .Replace("in librt", "in libpthread", StringComparison.Ordinal) + $$"""
            libc.sem_open.restype = ctypes.c_void_p
            semaphore = libc.sem_open({{Bytes(key.NativeKey)}}, 0)
            # SEM_FAILED is 0; on macOS, where it is -1, compare with ctypes.c_void_p(-1).value.
            checked(semaphore, None, "sem_open")
            checked(libc.sem_wait(ctypes.c_void_p(semaphore)), -1, "sem_wait")
            print("acquired")
            checked(libc.sem_post(ctypes.c_void_p(semaphore)), -1, "sem_post")

            """,
        (NativeIpcKeyType.Windows, IpcObjectKind.SharedMemory) =>
            "# Attaches to a Windows segment. Run: python open.py\n" + Windows + $$"""
            kernel32.OpenFileMappingW.restype = wintypes.HANDLE
            kernel32.OpenFileMappingW.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR]
            kernel32.MapViewOfFile.restype = ctypes.c_void_p
            kernel32.MapViewOfFile.argtypes = [
                wintypes.HANDLE, wintypes.DWORD, wintypes.DWORD, wintypes.DWORD, ctypes.c_size_t]
            FILE_MAP_ALL_ACCESS = 0xF001F

            mapping = checked(kernel32.OpenFileMappingW(FILE_MAP_ALL_ACCESS, False, {{Literal.Escaped(key.NativeKey)}}))
            address = checked(kernel32.MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0))
            print(f"attached, the first byte is {ctypes.c_ubyte.from_address(address).value}")

            """,
        (NativeIpcKeyType.Windows, _) =>
            "# Opens a Windows semaphore, takes a permit and gives it back. Run: python open.py\n" + Windows + $$"""
            kernel32.OpenSemaphoreW.restype = wintypes.HANDLE
            kernel32.OpenSemaphoreW.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR]
            kernel32.WaitForSingleObject.argtypes = [wintypes.HANDLE, wintypes.DWORD]
            kernel32.ReleaseSemaphore.argtypes = [wintypes.HANDLE, wintypes.LONG, ctypes.c_void_p]
            SYNCHRONIZE, SEMAPHORE_MODIFY_STATE, INFINITE = 0x100000, 2, 0xFFFFFFFF

            semaphore = checked(kernel32.OpenSemaphoreW(
                SYNCHRONIZE | SEMAPHORE_MODIFY_STATE, False, {{Literal.Escaped(key.NativeKey)}}))
            checked(kernel32.WaitForSingleObject(semaphore, INFINITE) == 0)
            print("acquired")
            checked(kernel32.ReleaseSemaphore(semaphore, 1, None))

            """,
        (_, IpcObjectKind.SharedMemory) =>
            "# Attaches to a System V segment, whose key is made from a file. Run: python3 open.py\n" + Unix + $$"""
            libc.shmat.restype = ctypes.c_void_p
            key = checked(libc.ftok({{Bytes(key.NativeKey)}}, {{(int)key.Type}}), -1, "ftok")
            segment = checked(libc.shmget(key, 0, 0), -1, "shmget")
            address = checked(libc.shmat(segment, None, 0), ctypes.c_void_p(-1).value, "shmat")
            print(f"attached, the first byte is {ctypes.c_ubyte.from_address(address).value}")
            libc.shmdt(ctypes.c_void_p(address))

            """,
        _ => "# Opens a System V semaphore (number 0 of its set), takes a permit and gives it back. Run: python3 "
            + "open.py\n" + Unix + $$"""
            class sembuf(ctypes.Structure):
                _fields_ = [("sem_num", ctypes.c_ushort), ("sem_op", ctypes.c_short), ("sem_flg", ctypes.c_short)]


            SEM_UNDO = 0x1000
            key = checked(libc.ftok({{Bytes(key.NativeKey)}}, {{(int)key.Type}}), -1, "ftok")
            semaphore = checked(libc.semget(key, 0, 0), -1, "semget")
            checked(libc.semop(semaphore, ctypes.byref(sembuf(0, -1, SEM_UNDO)), 1), -1, "semop")
            print("acquired")
            checked(libc.semop(semaphore, ctypes.byref(sembuf(0, 1, SEM_UNDO)), 1), -1, "semop")

            """,
    };

    private static string Bytes(string text) => Literal.Escaped(text) + ".encode()";
}
