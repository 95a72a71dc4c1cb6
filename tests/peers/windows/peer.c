/* SPDX-License-Identifier: MIT
 *
 * A program that knows nothing of NativeIpc and shares segments and semaphores with it through the Windows API alone,
 * by the W functions and by the A functions. Part of the tests of NativeIpc.
 *
 *     x86_64-w64-mingw32-gcc -std=c11 -O1 -Wall -Wextra -Werror -municode -o peer.exe peer.c -ladvapi32
 *
 * peer.exe VERB ARGUMENT...    does one thing, and ends with 0, with 1 when the system refused, or with 2 when it was
 *                              not understood
 * peer.exe session             reads lines "VERB<TAB>ARGUMENT..." in UTF-8 and keeps what it opens; ends with its input
 *
 * Every command is answered by one line:
 *     ok [VALUE]               done
 *     timeout                  no permit came in time
 *     error FUNCTION NUMBER    the system refused; NUMBER is that of GetLastError
 *     what? VERB               not understood
 *
 * API is W or A. SDDL is a security descriptor in text form; without one, the default of the process applies.
 *
 *     create-segment API NAME SIZE [SDDL]       PAGE_READWRITE; answers new or existing
 *     create-section API NAME SIZE PROTECT      another protection (decimal), which may hold SEC_ flags; not mapped
 *     open-segment API NAME ACCESS              all, write or read; answers the size
 *     size | write OFFSET HEX | read OFFSET LENGTH
 *     close-handle                              of the segment; the view stays
 *     close-segment
 *     create-semaphore API NAME INITIAL MAXIMUM [SDDL]
 *     open-semaphore API NAME ACCESS            all or least
 *     acquire MILLISECONDS                      -1 for ever
 *     release COUNT                             answers the count before
 *     close-semaphore
 *     make-event API NAME MANUAL SET            1 or 0 each; answers new or existing
 *     open-event API NAME ACCESS                all or least
 *     set | reset | await MILLISECONDS          SetEvent, ResetEvent; -1 for ever
 *     relay TIMES NAME                          so many times: waits for the event, and sets the other one
 *     close-event
 *     create-mutex API NAME | create-event API NAME
 *     describe KIND NAME                        answers the owner and the access control list in text form; KIND is
 *                                               segment, semaphore or mutex
 *     add OFFSET TIMES                          adds 1 to the 32 bits there so many times, each between an acquire and
 *                                               a release
 *     parse TEXT                                answers the native key of a key text "windows:..."
 *     legacy KIND NAME                          answers the name of Qt before 6.6; KIND is sharedmemory or systemsem
 */
#define WIN32_LEAN_AND_MEAN
#define _WIN32_WINNT 0x0A00
#include <windows.h>
#include <sddl.h>
#include <wincrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { DONE = 0, REFUSED = 1, NOT_UNDERSTOOD = 2 };

static HANDLE segment;
static unsigned char *view;
static HANDLE semaphore;
static HANDLE event;

static int ok(void) { puts("ok"); return DONE; }

static int refused(const char *function, DWORD number)
{
    printf("error %s %lu\n", function, number);
    return REFUSED;
}

static int is(const wchar_t *text, const char *word)
{
    while (*text && *text == (wchar_t)(unsigned char)*word) { text++; word++; }
    return *text == 0 && *word == 0;
}

/* The name as the A functions take it. Characters outside the code page are an answer, not a guess. */
static int ansi(const wchar_t *name, char *out, int size)
{
    BOOL lost = FALSE;
    if (WideCharToMultiByte(CP_ACP, WC_NO_BEST_FIT_CHARS, name, -1, out, size, NULL, &lost) == 0)
        return refused("WideCharToMultiByte", GetLastError());
    return lost ? refused("WideCharToMultiByte", ERROR_NO_UNICODE_TRANSLATION) : DONE;
}

static SECURITY_ATTRIBUTES *security(const wchar_t *sddl, SECURITY_ATTRIBUTES *out)
{
    if (sddl == NULL) return NULL;
    out->nLength = sizeof *out;
    out->bInheritHandle = FALSE;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &out->lpSecurityDescriptor, NULL))
    {
        printf("error ConvertStringSecurityDescriptorToSecurityDescriptorW %lu\n", GetLastError());
        exit(NOT_UNDERSTOOD);
    }
    return out;
}

static void close_segment(void)
{
    if (view) UnmapViewOfFile(view);
    if (segment) CloseHandle(segment);
    view = NULL;
    segment = NULL;
}

static int map(DWORD access)
{
    view = MapViewOfFile(segment, access, 0, 0, 0);
    return view ? DONE : refused("MapViewOfFile", GetLastError());
}

static unsigned long long size_of_view(void)
{
    MEMORY_BASIC_INFORMATION region;
    return VirtualQuery(view, &region, sizeof region) ? region.RegionSize : 0;
}

static int make_section(const wchar_t *api, const wchar_t *name, unsigned long long size, DWORD protect,
    const wchar_t *sddl, DWORD *error)
{
    SECURITY_ATTRIBUTES attributes;
    SECURITY_ATTRIBUTES *chosen = security(sddl, &attributes);
    char narrow[1024];
    close_segment();
    if (is(api, "A"))
    {
        int failed = ansi(name, narrow, sizeof narrow);
        if (failed) return failed;
        segment = CreateFileMappingA(INVALID_HANDLE_VALUE, chosen, protect, (DWORD)(size >> 32), (DWORD)size, narrow);
    }
    else
    {
        segment = CreateFileMappingW(INVALID_HANDLE_VALUE, chosen, protect, (DWORD)(size >> 32), (DWORD)size, name);
    }
    *error = GetLastError();
    return segment ? DONE : refused("CreateFileMapping", *error);
}

static int create_segment(int n, wchar_t **a)
{
    DWORD error;
    if (n < 3) return NOT_UNDERSTOOD;
    int result = make_section(a[0], a[1], wcstoull(a[2], NULL, 10), PAGE_READWRITE, n > 3 ? a[3] : NULL, &error);
    if (result == DONE) result = map(FILE_MAP_READ | FILE_MAP_WRITE);
    if (result == DONE) puts(error == ERROR_ALREADY_EXISTS ? "ok existing" : "ok new");
    return result;
}

static int create_section(int n, wchar_t **a)
{
    DWORD error;
    if (n < 4) return NOT_UNDERSTOOD;
    int result = make_section(a[0], a[1], wcstoull(a[2], NULL, 10), wcstoul(a[3], NULL, 10), NULL, &error);
    return result == DONE ? ok() : result;
}

static int open_segment(int n, wchar_t **a)
{
    char narrow[1024];
    if (n < 3) return NOT_UNDERSTOOD;
    DWORD access = is(a[2], "all") ? FILE_MAP_ALL_ACCESS : is(a[2], "write") ? FILE_MAP_READ | FILE_MAP_WRITE
        : FILE_MAP_READ;
    close_segment();
    if (is(a[0], "A"))
    {
        int failed = ansi(a[1], narrow, sizeof narrow);
        if (failed) return failed;
        segment = OpenFileMappingA(access, FALSE, narrow);
    }
    else
    {
        segment = OpenFileMappingW(access, FALSE, a[1]);
    }
    if (!segment) return refused("OpenFileMapping", GetLastError());
    int result = map(access);
    if (result == DONE) printf("ok %llu\n", size_of_view());
    return result;
}

static int write_bytes(int n, wchar_t **a)
{
    if (n < 2 || !view) return NOT_UNDERSTOOD;
    unsigned char *at = view + wcstoull(a[0], NULL, 10);
    for (const wchar_t *hex = a[1]; hex[0] && hex[1]; hex += 2)
    {
        wchar_t digits[3] = { hex[0], hex[1], 0 };
        *at++ = (unsigned char)wcstoul(digits, NULL, 16);
    }
    return ok();
}

static int read_bytes(int n, wchar_t **a)
{
    if (n < 2 || !view) return NOT_UNDERSTOOD;
    const unsigned char *at = view + wcstoull(a[0], NULL, 10);
    fputs("ok ", stdout);
    for (unsigned long length = wcstoul(a[1], NULL, 10); length > 0; length--) printf("%02x", *at++);
    putchar('\n');
    return DONE;
}

static void keep_semaphore(HANDLE next)
{
    if (semaphore) CloseHandle(semaphore);
    semaphore = next;
}

static int create_semaphore(int n, wchar_t **a)
{
    SECURITY_ATTRIBUTES attributes;
    char narrow[1024];
    HANDLE made;
    if (n < 4) return NOT_UNDERSTOOD;
    SECURITY_ATTRIBUTES *chosen = security(n > 4 ? a[4] : NULL, &attributes);
    LONG initial = wcstol(a[2], NULL, 10), maximum = wcstol(a[3], NULL, 10);
    if (is(a[0], "A"))
    {
        int failed = ansi(a[1], narrow, sizeof narrow);
        if (failed) return failed;
        made = CreateSemaphoreA(chosen, initial, maximum, narrow);
    }
    else
    {
        made = CreateSemaphoreW(chosen, initial, maximum, a[1]);
    }
    DWORD error = GetLastError();
    if (!made) return refused("CreateSemaphore", error);
    keep_semaphore(made);
    puts(error == ERROR_ALREADY_EXISTS ? "ok existing" : "ok new");
    return DONE;
}

static int open_semaphore(int n, wchar_t **a)
{
    char narrow[1024];
    HANDLE opened;
    if (n < 3) return NOT_UNDERSTOOD;
    DWORD access = is(a[2], "all") ? SEMAPHORE_ALL_ACCESS : SEMAPHORE_MODIFY_STATE | SYNCHRONIZE;
    if (is(a[0], "A"))
    {
        int failed = ansi(a[1], narrow, sizeof narrow);
        if (failed) return failed;
        opened = OpenSemaphoreA(access, FALSE, narrow);
    }
    else
    {
        opened = OpenSemaphoreW(access, FALSE, a[1]);
    }
    if (!opened) return refused("OpenSemaphore", GetLastError());
    keep_semaphore(opened);
    return ok();
}

static int acquire(int n, wchar_t **a)
{
    if (n < 1 || !semaphore) return NOT_UNDERSTOOD;
    long milliseconds = wcstol(a[0], NULL, 10);
    switch (WaitForSingleObject(semaphore, milliseconds < 0 ? INFINITE : (DWORD)milliseconds))
    {
        case WAIT_OBJECT_0: return ok();
        case WAIT_TIMEOUT: puts("timeout"); return REFUSED;
        default: return refused("WaitForSingleObject", GetLastError());
    }
}

static int release(int n, wchar_t **a)
{
    LONG before;
    if (n < 1 || !semaphore) return NOT_UNDERSTOOD;
    if (!ReleaseSemaphore(semaphore, wcstol(a[0], NULL, 10), &before))
        return refused("ReleaseSemaphore", GetLastError());
    printf("ok %ld\n", before);
    return DONE;
}

static int add(int n, wchar_t **a)
{
    LONG before;
    if (n < 2 || !view || !semaphore) return NOT_UNDERSTOOD;
    volatile unsigned *at = (volatile unsigned *)(view + wcstoull(a[0], NULL, 10));
    for (unsigned long left = wcstoul(a[1], NULL, 10); left > 0; left--)
    {
        if (WaitForSingleObject(semaphore, INFINITE) != WAIT_OBJECT_0)
            return refused("WaitForSingleObject", GetLastError());
        *at = *at + 1;
        if (!ReleaseSemaphore(semaphore, 1, &before)) return refused("ReleaseSemaphore", GetLastError());
        if (before != 0) return refused("ReleaseSemaphore", 0); /* somebody gave a second permit */
    }
    return ok();
}

static void keep_event(HANDLE next)
{
    if (event) CloseHandle(event);
    event = next;
}

static int make_event(int n, wchar_t **a)
{
    char narrow[1024];
    HANDLE made;
    if (n < 4) return NOT_UNDERSTOOD;
    BOOL manual = is(a[2], "1"), set = is(a[3], "1");
    if (is(a[0], "A"))
    {
        int failed = ansi(a[1], narrow, sizeof narrow);
        if (failed) return failed;
        made = CreateEventA(NULL, manual, set, narrow);
    }
    else
    {
        made = CreateEventW(NULL, manual, set, a[1]);
    }
    DWORD error = GetLastError();
    if (!made) return refused("CreateEvent", error);
    keep_event(made);
    puts(error == ERROR_ALREADY_EXISTS ? "ok existing" : "ok new");
    return DONE;
}

static int open_event(int n, wchar_t **a)
{
    char narrow[1024];
    HANDLE opened;
    if (n < 3) return NOT_UNDERSTOOD;
    DWORD access = is(a[2], "all") ? EVENT_ALL_ACCESS : EVENT_MODIFY_STATE | SYNCHRONIZE;
    if (is(a[0], "A"))
    {
        int failed = ansi(a[1], narrow, sizeof narrow);
        if (failed) return failed;
        opened = OpenEventA(access, FALSE, narrow);
    }
    else
    {
        opened = OpenEventW(access, FALSE, a[1]);
    }
    if (!opened) return refused("OpenEvent", GetLastError());
    keep_event(opened);
    return ok();
}

static int change_event(int is_set)
{
    if (!event) return NOT_UNDERSTOOD;
    return (is_set ? SetEvent(event) : ResetEvent(event)) ? ok()
        : refused(is_set ? "SetEvent" : "ResetEvent", GetLastError());
}

static int await_event(int n, wchar_t **a)
{
    if (n < 1 || !event) return NOT_UNDERSTOOD;
    long milliseconds = wcstol(a[0], NULL, 10);
    switch (WaitForSingleObject(event, milliseconds < 0 ? INFINITE : (DWORD)milliseconds))
    {
        case WAIT_OBJECT_0: return ok();
        case WAIT_TIMEOUT: puts("timeout"); return REFUSED;
        default: return refused("WaitForSingleObject", GetLastError());
    }
}

static int relay(int n, wchar_t **a)
{
    if (n < 2 || !event) return NOT_UNDERSTOOD;
    HANDLE other = OpenEventW(EVENT_MODIFY_STATE, FALSE, a[1]);
    if (!other) return refused("OpenEvent", GetLastError());
    for (unsigned long left = wcstoul(a[0], NULL, 10); left > 0; left--)
    {
        if (WaitForSingleObject(event, INFINITE) != WAIT_OBJECT_0)
            return refused("WaitForSingleObject", GetLastError());
        if (!SetEvent(other)) return refused("SetEvent", GetLastError());
    }
    CloseHandle(other);
    return ok();
}

static int parse(int n, wchar_t **a)
{
    static const wchar_t prefix[] = L"windows:";
    char text[4096];
    if (n < 1 || wcsncmp(a[0], prefix, wcslen(prefix)) != 0) return NOT_UNDERSTOOD;
    if (!WideCharToMultiByte(CP_UTF8, 0, a[0] + wcslen(prefix), -1, text, sizeof text, NULL, NULL))
        return refused("WideCharToMultiByte", GetLastError());
    char *out = text;
    for (const char *in = text; *in && *in != '?'; in++)
    {
        char digits[3] = { 0, 0, 0 };
        if (*in == '%' && in[1] && in[2])
        {
            digits[0] = in[1];
            digits[1] = in[2];
            in += 2;
            *out++ = (char)strtoul(digits, NULL, 16);
        }
        else
        {
            *out++ = *in;
        }
    }
    *out = 0;
    printf("ok %s\n", text);
    return DONE;
}

/* qipc_KIND_, the letters of the name, and the SHA-1 of the whole name. */
static int legacy(int n, wchar_t **a)
{
    char text[4096];
    BYTE hash[20];
    DWORD length = sizeof hash;
    HCRYPTPROV provider;
    HCRYPTHASH state;
    if (n < 2) return NOT_UNDERSTOOD;
    if (!WideCharToMultiByte(CP_UTF8, 0, a[1], -1, text, sizeof text, NULL, NULL))
        return refused("WideCharToMultiByte", GetLastError());
    if (!CryptAcquireContextW(&provider, NULL, NULL, PROV_RSA_FULL, CRYPT_VERIFYCONTEXT))
        return refused("CryptAcquireContext", GetLastError());
    if (!CryptCreateHash(provider, CALG_SHA1, 0, 0, &state)) return refused("CryptCreateHash", GetLastError());
    if (!CryptHashData(state, (const BYTE *)text, (DWORD)strlen(text), 0))
        return refused("CryptHashData", GetLastError());
    if (!CryptGetHashParam(state, HP_HASHVAL, hash, &length, 0)) return refused("CryptGetHashParam", GetLastError());
    CryptDestroyHash(state);
    CryptReleaseContext(provider, 0);
    printf("ok qipc_%ls_", a[0]);
    for (const char *at = text; *at; at++) if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z')) putchar(*at);
    for (DWORD i = 0; i < length; i++) printf("%02x", hash[i]);
    putchar('\n');
    return DONE;
}

/* Objects of other kinds are kept to the end of the process. */
static int create_other(int n, wchar_t **a, int is_mutex)
{
    char narrow[1024];
    HANDLE made;
    if (n < 2) return NOT_UNDERSTOOD;
    if (is(a[0], "A"))
    {
        int failed = ansi(a[1], narrow, sizeof narrow);
        if (failed) return failed;
        made = is_mutex ? CreateMutexA(NULL, FALSE, narrow) : CreateEventA(NULL, FALSE, FALSE, narrow);
    }
    else
    {
        made = is_mutex ? CreateMutexW(NULL, FALSE, a[1]) : CreateEventW(NULL, FALSE, FALSE, a[1]);
    }
    return made ? ok() : refused(is_mutex ? "CreateMutex" : "CreateEvent", GetLastError());
}

static int describe(int n, wchar_t **a)
{
    static union { SECURITY_DESCRIPTOR aligned; BYTE bytes[4096]; } descriptor;
    const SECURITY_INFORMATION wanted = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    DWORD length;
    LPWSTR text;
    if (n < 2) return NOT_UNDERSTOOD;
    HANDLE opened = is(a[0], "segment") ? OpenFileMappingW(READ_CONTROL, FALSE, a[1])
        : is(a[0], "semaphore") ? OpenSemaphoreW(READ_CONTROL, FALSE, a[1])
        : OpenMutexW(READ_CONTROL, FALSE, a[1]);
    if (!opened) return refused("Open", GetLastError());
    BOOL got = GetKernelObjectSecurity(opened, wanted, &descriptor, sizeof descriptor, &length);
    DWORD error = GetLastError();
    CloseHandle(opened);
    if (!got) return refused("GetKernelObjectSecurity", error);
    if (!ConvertSecurityDescriptorToStringSecurityDescriptorW(&descriptor, SDDL_REVISION_1, wanted, &text, NULL))
        return refused("ConvertSecurityDescriptorToStringSecurityDescriptorW", GetLastError());
    printf("ok %ls\n", text);
    LocalFree(text);
    return DONE;
}

static int run(int n, wchar_t **a)
{
    const wchar_t *verb = a[0];
    n--;
    a++;
    if (is(verb, "create-segment")) return create_segment(n, a);
    if (is(verb, "create-section")) return create_section(n, a);
    if (is(verb, "open-segment")) return open_segment(n, a);
    if (is(verb, "write")) return write_bytes(n, a);
    if (is(verb, "read")) return read_bytes(n, a);
    if (is(verb, "size")) { if (!view) return NOT_UNDERSTOOD; printf("ok %llu\n", size_of_view()); return DONE; }
    if (is(verb, "close-handle")) { if (segment) CloseHandle(segment); segment = NULL; return ok(); }
    if (is(verb, "close-segment")) { close_segment(); return ok(); }
    if (is(verb, "create-semaphore")) return create_semaphore(n, a);
    if (is(verb, "open-semaphore")) return open_semaphore(n, a);
    if (is(verb, "acquire")) return acquire(n, a);
    if (is(verb, "release")) return release(n, a);
    if (is(verb, "close-semaphore")) { keep_semaphore(NULL); return ok(); }
    if (is(verb, "add")) return add(n, a);
    if (is(verb, "parse")) return parse(n, a);
    if (is(verb, "legacy")) return legacy(n, a);
    if (is(verb, "create-mutex")) return create_other(n, a, 1);
    if (is(verb, "describe")) return describe(n, a);
    if (is(verb, "make-event")) return make_event(n, a);
    if (is(verb, "open-event")) return open_event(n, a);
    if (is(verb, "set")) return change_event(1);
    if (is(verb, "reset")) return change_event(0);
    if (is(verb, "await")) return await_event(n, a);
    if (is(verb, "relay")) return relay(n, a);
    if (is(verb, "close-event")) { keep_event(NULL); return ok(); }
    if (is(verb, "create-event")) return create_other(n, a, 0);
    return NOT_UNDERSTOOD;
}

static int answer(int n, wchar_t **a)
{
    int result = run(n, a);
    if (result == NOT_UNDERSTOOD) printf("what? %ls\n", a[0]);
    fflush(stdout);
    return result;
}

static int session(void)
{
    static char line[8192];
    static wchar_t wide[8192];
    while (fgets(line, sizeof line, stdin))
    {
        wchar_t *fields[8];
        int n = 0;
        line[strcspn(line, "\r\n")] = 0;
        MultiByteToWideChar(CP_UTF8, 0, line, -1, wide, sizeof wide / sizeof *wide);
        for (wchar_t *at = wide; at && n < 8; n++)
        {
            fields[n] = at;
            at = wcschr(at, L'\t');
            if (at) *at++ = 0;
        }
        answer(n, fields);
    }
    return DONE;
}

int wmain(int count, wchar_t **arguments)
{
    if (count < 2) return NOT_UNDERSTOOD;
    return is(arguments[1], "session") ? session() : answer(count - 1, arguments + 1);
}
