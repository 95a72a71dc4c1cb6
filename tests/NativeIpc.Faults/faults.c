/*
 * Makes single system calls of a thread fail: what Injector.cs loads. Linux on x86-64.
 *
 * A seccomp filter on the calling thread turns each call that matters into SIGSYS. The handler counts it, writes it
 * down, and makes it: from an address that the filter lets through. The call whose turn it is fails instead, and is not
 * made. Threads that are started by that thread inherit the filter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define MOST_CALLS 2048
#define MOST_PLACES 256
#define UNMAPS 1000
#define SMALLEST_STACK (64 << 10)
#define LARGEST_SEGMENT (4 << 20)
#define MOST_THREADS (1 << 16)

struct call {
    int64_t number;
    int64_t arguments[6];
    int64_t result;
    int64_t failed;
    char path[72];
};

static struct call calls[MOST_CALLS];
static int count;
static int is_on, on_all_threads, owner;
static int first_call, first_error, second_call, second_error;

/* What the counted calls have mapped: other mappings are the runtime's. */
static int64_t places[MOST_PLACES];
static int place_count;

/*
 * Threads that have come to run their own program, by the low bits of their ids, and how many calls were left alone
 * because they were part of a thread's start. .NET ends the process when one of these fails.
 */
static unsigned char has_begun[MOST_THREADS];
static int left_alone;

int64_t fault_raw(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);
extern const char fault_raw_end[];
__asm__(".text\n"
        ".globl fault_raw\n.hidden fault_raw_end\n.globl fault_raw_end\n"
        "fault_raw:\n"
        "mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n"
        "mov %r8, %r10\n mov %r9, %r8\n mov 8(%rsp), %r9\n"
        "syscall\n"
        "fault_raw_end:\n ret\n");

static const int trapped[] = {
    SYS_open, SYS_openat, SYS_close, SYS_dup3, SYS_fcntl, SYS_flock, SYS_read, SYS_pread64, SYS_pwrite64, SYS_write,
    SYS_stat, SYS_fstat, SYS_lstat, SYS_newfstatat, SYS_statx, SYS_ftruncate, SYS_fallocate, SYS_linkat, SYS_unlink,
    SYS_unlinkat, SYS_mkdir, SYS_chmod, SYS_fchmod, SYS_fchown, SYS_utimensat, SYS_getdents64, SYS_access,
    SYS_faccessat,
    SYS_readlink, SYS_mremap, SYS_shmget, SYS_shmat, SYS_shmdt, SYS_shmctl,
    SYS_semget, SYS_semctl, SYS_semop, SYS_semtimedop, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait,
    SYS_pidfd_open, SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_io_uring_setup,
    SYS_io_uring_enter, SYS_io_uring_register, 449 /* futex_waitv */,
    SYS_fsetxattr, SYS_fgetxattr, SYS_fremovexattr, SYS_lgetxattr, SYS_eventfd2, SYS_statfs, SYS_fstatfs, SYS_prlimit64,
};
#define TRAPPED ((int)(sizeof trapped / sizeof *trapped))

static int is_place(int64_t address)
{
    for (int i = 0; i < place_count; i++)
        if (places[i] == address) return 1;
    return 0;
}

static void note_place(int64_t address)
{
    if (address < 0 && address > -4096) return;
    if (!is_place(address) && place_count < MOST_PLACES) places[place_count++] = address;
}

static int is_pipe(int64_t descriptor)
{
    struct stat status;
    return fault_raw(SYS_fstat, descriptor, (int64_t)&status, 0, 0, 0, 0) == 0 && S_ISFIFO(status.st_mode);
}

/*
 * Whether a call is part of a thread's start by the runtime. The new thread gets what it needs, and reads a byte from a
 * pipe; it begins when the starting thread, which has named it, writes that byte. The library itself has no pipes. What
 * the starting thread does before clone(2), a mapping for the stack, may fail: the runtime says so.
 */
static int starts_thread(int64_t number, const int64_t *a, int thread)
{
    if (number == SYS_openat && a[1] != 0 && strncmp((const char *)a[1], "/proc/self/task/", 16) == 0) return 1;
    if (number == SYS_write && is_pipe(a[0])) return 1;
    if (thread == owner) return 0;
    unsigned char *begun = &has_begun[thread % MOST_THREADS];
    if (number == SYS_read && is_pipe(a[0])) {
        __atomic_store_n(begun, 1, __ATOMIC_SEQ_CST);
        return 1;
    }
    return !__atomic_load_n(begun, __ATOMIC_SEQ_CST);
}

/* Whether a call is the library's, or the C library's on its behalf, and not the runtime's own. */
static int counts(int64_t number, const int64_t *a)
{
    switch (number) {
    case SYS_munmap:
        return is_place(a[0]);
    case SYS_mremap:
        return is_place(a[0]) || is_place(a[4]);
    case SYS_write:
        return a[0] > 2;
    case SYS_openat:
        return a[1] == 0 || strstr((const char *)a[1], ".dll") == NULL;
    default:
        return 1;
    }
}

static const char *path_of(int64_t number, const int64_t *a)
{
    switch (number) {
    case SYS_open: case SYS_unlink: case SYS_mkdir: case SYS_chmod: case SYS_stat: case SYS_lstat: case SYS_access:
    case SYS_readlink: case SYS_lgetxattr: case SYS_statfs:
        return (const char *)a[0];
    case SYS_openat: case SYS_unlinkat: case SYS_statx: case SYS_newfstatat: case SYS_inotify_add_watch:
        return (const char *)a[1];
    case SYS_linkat:
        return (const char *)a[3];
    default:
        return NULL;
    }
}

static int64_t decide(int64_t number, const int64_t *a)
{
    int thread = (int)fault_raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
    int is_part = starts_thread(number, a, thread);
    int is_meant = is_on && (on_all_threads || thread == owner);
    if (is_part && is_meant) __atomic_fetch_add(&left_alone, 1, __ATOMIC_SEQ_CST);
    if (is_part || !is_meant || !counts(number, a))
        return fault_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    int turn = __atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST);
    int error = turn == first_call ? first_error : turn == second_call ? second_error : 0;
    int64_t result = -error;

    /*
     * mremap can have unmapped its target when it fails (mm/mremap.c unmaps before it takes memory). Calls are not the
     * same in each run (waits): another one can have come to this number.
     */
    if (error > UNMAPS) {
        if (number == SYS_mremap) fault_raw(SYS_munmap, a[4], a[2], 0, 0, 0, 0);
        result = -(error -= UNMAPS);
    }

    /*
     * A close that fails has closed all the same (close(2)). Nor is there a reason for which the others do not unmap
     * what is mapped as a whole: should they say so, nothing must be done twice.
     */
    if (error == 0 || number == SYS_close || number == SYS_munmap || number == SYS_shmdt) {
        result = fault_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (number == SYS_mmap || number == SYS_mremap) note_place(result);
        if (error != 0) result = -error;
    }
    if (turn < MOST_CALLS) {
        struct call *call = &calls[turn];
        call->number = number;
        memcpy(call->arguments, a, sizeof call->arguments);
        call->result = result;
        call->failed = error;
        const char *path = path_of(number, a);
        size_t length = 0;
        while (path != NULL && length < sizeof call->path - 1 && path[length] != 0) {
            call->path[length] = path[length];
            length++;
        }
        call->path[length] = 0;
    }
    return result;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int64_t arguments[] = { registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                            registers[REG_R10], registers[REG_R8], registers[REG_R9] };
    registers[REG_RAX] = decide(info->si_syscall, arguments);
}

/* Puts the filter on the calling thread, for ever. 0, or an error number. */
int fault_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    if (sigaction(SIGSYS, &action, NULL) != 0) return errno;

    struct sock_filter program[2 * TRAPPED + 64];
    int next = 0;
    uint64_t end = (uint64_t)(uintptr_t)fault_raw_end;
    const uint32_t pointer = offsetof(struct seccomp_data, instruction_pointer);
    const uint32_t argument = offsetof(struct seccomp_data, args);
#define PUT(instruction) program[next++] = (struct sock_filter)instruction
#define LOAD(from) PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, from))
#define SKIP_UNLESS(test, value, most) PUT(BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, most))
#define RETURN(what) PUT(BPF_STMT(BPF_RET | BPF_K, what))
    LOAD(pointer);
    SKIP_UNLESS(BPF_JEQ, (uint32_t)end, 3);
    LOAD(pointer + 4);
    SKIP_UNLESS(BPF_JEQ, (uint32_t)(end >> 32), 1);
    RETURN(SECCOMP_RET_ALLOW);
    LOAD(offsetof(struct seccomp_data, nr));

    /* What threads do at their end, when every signal is blocked, is let through: the process would die of SIGSYS. */
    SKIP_UNLESS(BPF_JEQ, SYS_mmap, 4); /* shared ones, and stacks of threads */
    LOAD(argument + 3 * 8);
    SKIP_UNLESS(BPF_JSET, MAP_SHARED | MAP_STACK, 1);
    RETURN(SECCOMP_RET_TRAP);
    RETURN(SECCOMP_RET_ALLOW);
    SKIP_UNLESS(BPF_JEQ, SYS_futex, 4); /* shared words */
    LOAD(argument + 1 * 8);
    SKIP_UNLESS(BPF_JSET, FUTEX_PRIVATE_FLAG, 1);
    RETURN(SECCOMP_RET_ALLOW);
    RETURN(SECCOMP_RET_TRAP);
    SKIP_UNLESS(BPF_JEQ, SYS_munmap, 5); /* no stacks */
    LOAD(argument + 1 * 8);
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LARGEST_SEGMENT, 1, 0));
    PUT(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SMALLEST_STACK, 1, 0));
    RETURN(SECCOMP_RET_TRAP);
    RETURN(SECCOMP_RET_ALLOW);
    SKIP_UNLESS(BPF_JEQ, SYS_madvise, 6); /* MADV_HUGEPAGE, MADV_POPULATE_READ, MADV_POPULATE_WRITE */
    LOAD(argument + 2 * 8);
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 14, 2, 0));
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 22, 1, 0));
    SKIP_UNLESS(BPF_JEQ, 23, 1);
    RETURN(SECCOMP_RET_TRAP);
    RETURN(SECCOMP_RET_ALLOW);
    for (int i = 0; i < TRAPPED; i++) {
        SKIP_UNLESS(BPF_JEQ, (uint32_t)trapped[i], 1);
        RETURN(SECCOMP_RET_TRAP);
    }
    RETURN(SECCOMP_RET_ALLOW);
    struct sock_fprog whole = { .len = (unsigned short)next, .filter = program };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole, 0, 0) == 0 ? 0 : errno;
}

/* Counts from here on. The numbers of the calls that fail begin with 0; -1 for none. */
void fault_begin(int call, int error, int then_call, int then_error, int all_threads)
{
    count = 0;
    first_call = call;
    first_error = error;
    second_call = then_call;
    second_error = then_error;
    on_all_threads = all_threads;
    owner = (int)fault_raw(SYS_gettid, 0, 0, 0, 0, 0, 0);
    __atomic_store_n(&is_on, 1, __ATOMIC_SEQ_CST);
}

/* How many calls there were. */
int fault_end(void)
{
    __atomic_store_n(&is_on, 0, __ATOMIC_SEQ_CST);
    return count < MOST_CALLS ? count : MOST_CALLS;
}

/* How many calls were left alone since the process began, as parts of a thread's start. */
int fault_left_alone(void) { return left_alone; }

const struct call *fault_call(int index) { return &calls[index]; }

/* Writes down which descriptors are open, below a limit. */
void fault_descriptors(unsigned char *open, int limit)
{
    for (int i = 0; i < limit; i++) open[i] = fault_raw(SYS_fcntl, i, F_GETFD, 0, 0, 0, 0) >= 0;
}
