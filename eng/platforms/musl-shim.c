// What Debian's libstdc++.so.6 and libgcc_s.so.1 (built for glibc) want of glibc and musl does not have. Stands in as
// libgcc_s.so.1 and loads the real one as libgcc_s_real.so.1, so that it comes before musl in the order of symbols;
// also as ld-linux-x86-64.so.2.
#define _GNU_SOURCE
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/random.h>
#include <stdint.h>

char __libc_single_threaded = 0;
uint32_t arc4random(void) { uint32_t v; while (getrandom(&v, 4, 0) != 4) { } return v; }
size_t __strftime_l(char *s, size_t n, const char *f, const struct tm *t, locale_t l)
{
    return strftime_l(s, n, f, t, l);
}

// libgcc since 12 asks glibc 2.35 and newer where the unwind table of an address is.
struct found {
    unsigned long long flags;
    void *start, *end;
    struct link_map *map;
    void *eh_frame;
    unsigned long long reserved[7];
};
struct search { uintptr_t pc; struct found *found; };
static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    struct search *search = data;
    void *table = 0;
    int inside = 0;
    uintptr_t low = -1, high = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD) {
            if (search->pc >= at && search->pc < at + p->p_memsz) inside = 1;
            if (at < low) low = at;
            if (at + p->p_memsz > high) high = at + p->p_memsz;
        } else if (p->p_type == PT_GNU_EH_FRAME) table = (void *)at;
    }
    if (!inside || !table) return 0;
    memset(search->found, 0, sizeof *search->found);
    search->found->start = (void *)low;
    search->found->end = (void *)high;
    search->found->eh_frame = table;
    return 1;
}
int _dl_find_object(void *pc, struct found *found)
{
    struct search search = { (uintptr_t)pc, found };
    return dl_iterate_phdr(look, &search) ? 0 : -1;
}

// Destructors of thread_local objects: run in order when the thread ends.
struct destructor { void (*run)(void *); void *object; struct destructor *next; };
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void run_all(void *list)
{
    for (struct destructor *d = list; d; ) { struct destructor *next = d->next; d->run(d->object); free(d); d = next; }
}
static void make_key(void) { pthread_key_create(&key, run_all); }
int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *dso)
{
    (void)dso;
    pthread_once(&once, make_key);
    struct destructor *d = malloc(sizeof *d);
    if (!d) return -1;
    *d = (struct destructor){ run, object, pthread_getspecific(key) };
    return pthread_setspecific(key, d);
}

// libstdc++ looks into glibc's locale_t: tables of ctype behind 13 pointers, then names. The beginning is musl's.
const unsigned short **__ctype_b_loc(void);
const int32_t **__ctype_tolower_loc(void), **__ctype_toupper_loc(void);
struct glibc_locale { void *locales[13]; const unsigned short *b; const int *lower, *upper; const char *names[13]; };
locale_t __newlocale(int mask, const char *name, locale_t base)
{
    (void)mask; (void)base;
    if (name && *name && strcmp(name, "C") && strcmp(name, "POSIX")) return 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", 0);
    struct glibc_locale *l = calloc(1, sizeof *l);
    memcpy(l->locales, c, 6 * sizeof(void *));
    l->b = *__ctype_b_loc();
    l->lower = *__ctype_tolower_loc();
    l->upper = *__ctype_toupper_loc();
    for (int i = 0; i < 13; i++) l->names[i] = "C";
    return (locale_t)l;
}
locale_t __duplocale(locale_t l) { (void)l; return __newlocale(0, "C", 0); }
void __freelocale(locale_t l) { (void)l; }

// libgcc_s has these with an old version only, which musl does not take.
unsigned __cpu_model[4];
int __cpu_indicator_init(void) { return 0; }

// What Debian's libcrypto.so.3 wants: xunit hashes the names of tests with SHA-256, which .NET takes from OpenSSL.
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
void *__memcpy_chk(void *d, const void *s, size_t n, size_t m) { if (n > m) abort(); return memcpy(d, s, n); }
void *__memset_chk(void *d, int c, size_t n, size_t m) { if (n > m) abort(); return memset(d, c, n); }
char *__strcat_chk(char *d, const char *s, size_t m) { (void)m; return strcat(d, s); }
long __fdelt_chk(long d) { if (d < 0 || d >= 1024) abort(); return d / 64; }
int __vfprintf_chk(FILE *f, int flag, const char *t, va_list a) { (void)flag; return vfprintf(f, t, a); }
int __fprintf_chk(FILE *f, int flag, const char *t, ...)
{
    va_list a;
    (void)flag;
    va_start(a, t);
    int n = vfprintf(f, t, a);
    va_end(a);
    return n;
}
void __syslog_chk(int p, int flag, const char *t, ...) { (void)p; (void)flag; (void)t; }
int getcontext(void *c) { (void)c; return -1; }
int setcontext(const void *c) { (void)c; return -1; }
void makecontext(void *c, void (*f)(void), int n, ...) { (void)c; (void)f; (void)n; abort(); }
int __sprintf_chk(char *d, int flag, size_t m, const char *t, ...)
{
    va_list a;
    (void)flag;
    va_start(a, t);
    int n = vsnprintf(d, m, t, a);
    va_end(a);
    return n;
}
