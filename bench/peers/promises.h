/* C with the library's promises (variants @whole): the same system calls in the same order, and nothing else around
   them. What is named has its size, mode and record at once; a name goes only if it still leads to what was made; a
   key file is in a folder that only its owner may change, is locked while an object comes or goes, and stays while an
   object has its key. */
#include <sys/xattr.h>

/* Who is to remove an object, as the library records it: forty bytes. */
static void whole_record(int fd, const char *name)
{
    static const char record[40];
    if (fsetxattr(fd, name, record, sizeof record, 0))
        y_die("fsetxattr");
}
static int whole_is(const char *name, const struct stat *made)
{
    struct stat now;
    return lstat(name, &now) == 0 && now.st_dev == made->st_dev && now.st_ino == made->st_ino;
}
static void whole_link(int fd, const char *name)
{
    if (linkat(fd, "", AT_FDCWD, name, AT_EMPTY_PATH))
        y_die("linkat");
}

/* ---- POSIX segments ---- */
struct whole { char *data; int fd; struct stat made; };
static void whole_path(char *to, const char *name) { snprintf(to, 80, "/dev/shm/%s", name); }
static void whole_create(const char *name, struct whole *m)
{
    char file[80];
    whole_path(file, name);
    m->fd = Y_PASS_ERRORS(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), -1);
    if (fstat(m->fd, &m->made) || (m->made.st_mode & 0777) != 0600)
        y_die("fstat");
    whole_record(m->fd, "user.yard");
    if (ftruncate(m->fd, 4096))
        y_die("ftruncate");
    m->data = (char *)Y_PASS_ERRORS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0), MAP_FAILED);
    whole_link(m->fd, file);
}
static void whole_remove(const char *name, struct whole *m)
{
    char file[80];
    whole_path(file, name);
    flock(m->fd, LOCK_EX); /* against others who compare and remove */
    if (whole_is(file, &m->made))
        unlink(file);
    flock(m->fd, LOCK_UN);
    munmap(m->data, 4096);
    close(m->fd);
}
static void w_whole_segment(void *c, long n)
{
    while (n--) {
        struct whole m;
        whole_create((const char *)c, &m);
        whole_remove((const char *)c, &m);
    }
}

/* ---- System V semaphores ---- */
static char whole_folder[160];
static void whole_check_folder(void)
{
    struct stat folder;
    if (stat(whole_folder, &folder) || (folder.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH)
        y_die("folder");
}
static key_t whole_key(const struct stat *file)
{
    return (key_t)('Q' << 24 | (file->st_dev & 0xff) << 16 | (file->st_ino & 0xffff));
}
static int whole_sem_create(const char *file, struct stat *made)
{
    struct sembuf set[] = {{0, 0, IPC_NOWAIT}, {0, 1, IPC_NOWAIT}};
    struct stat now;
    whole_check_folder();
    int fd = Y_PASS_ERRORS(open(whole_folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), -1);
    if (fstat(fd, made))
        y_die("fstat");
    key_t key = whole_key(made);
    if (shmget(key, 0, 0) != -1 || semget(key, 0, 0) != -1)
        y_die("another object has the key");
    flock(fd, LOCK_EX);
    whole_link(fd, file);
    int id = Y_PASS_ERRORS(semget(key, 1, IPC_CREAT | IPC_EXCL | 0600), -1);
    if (semop(id, set, 2) || fstat(fd, &now) || now.st_nlink != 1)
        y_die("semop");
    flock(fd, LOCK_UN);
    close(fd);
    return id;
}
static void whole_sem_remove(const char *file, int id, const struct stat *made)
{
    struct stat now;
    key_t key = whole_key(made);
    int fd = Y_PASS_ERRORS(open(file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC), -1);
    flock(fd, LOCK_EX);
    if (fstat(fd, &now) || semctl(id, 0, IPC_RMID))
        y_die("semctl");
    if (whole_is(file, &now) && now.st_size == 0 && shmget(key, 0, 0) == -1 && semget(key, 0, 0) == -1)
        unlink(file);
    flock(fd, LOCK_UN);
    close(fd);
}
static void w_whole_semaphore(void *c, long n)
{
    while (n--) {
        struct stat made;
        int id = whole_sem_create((const char *)c, &made);
        whole_sem_remove((const char *)c, id, &made);
    }
}
static void w_whole_open(void *c, long n)
{
    while (n--) {
        struct stat file;
        struct semid_ds set;
        struct timespec now;
        union { struct semid_ds *set; } into = {&set};
        clock_gettime(CLOCK_REALTIME, &now);
        whole_check_folder();
        if (lstat((const char *)c, &file) || file.st_uid != geteuid())
            y_die("lstat");
        int id = Y_PASS_ERRORS(semget(whole_key(&file), 0, 0), -1);
        if (semctl(id, 0, IPC_STAT, into) || set.sem_perm.uid != geteuid() || set.sem_ctime >= now.tv_sec - 1)
            y_die("semctl");
    }
}

static void whole_scale(const char *name, int n)
{
    struct whole *segments = (struct whole *)calloc(n, sizeof *segments);
    struct stat *files = (struct stat *)calloc(n, sizeof *files);
    int *ids = (int *)calloc(n, sizeof *ids), is_segment = strstr(name, ".shm.") != NULL;
    char file[160];
    int64_t t = y_now();
    for (int i = 0; i < n; i++) {
        if (is_segment) {
            whole_create(y_called("scale", i), &segments[i]);
            continue;
        }
        snprintf(file, sizeof file, "%s", key_file(y_called("scale", i)));
        ids[i] = whole_sem_create(file, &files[i]);
    }
    for (int i = 0; i < n; i++) {
        if (is_segment)
            whole_remove(y_called("scale", i), &segments[i]);
        else
            whole_sem_remove(key_file(y_called("scale", i)), ids[i], &files[i]);
    }
    y_print(name, "", (double)(y_now() - t) / n);
    free(segments), free(files), free(ids);
}
static void run_whole(const char *name)
{
    char file[160];
    const char *called = y_called("whole", 0);
    snprintf(file, sizeof file, "%s", key_file(called));
    snprintf(whole_folder, sizeof whole_folder, "%.*s", (int)(strrchr(file, '/') - file), file);
    if (!strncmp(name, "scale.", 6))
        whole_scale(name, y_quick() ? 50 : y_number(name));
    else if (!strncmp(name, "posix.", 6))
        y_print(name, "", y_measure(w_whole_segment, (void *)called, 11));
    else if (strstr(name, "create"))
        y_print(name, "", y_measure(w_whole_semaphore, file, 11));
    else {
        struct stat made;
        int id = whole_sem_create(file, &made);
        usleep(2100000); /* as old as nearly all sets are when they are opened: no further look */
        y_print(name, "", y_measure(w_whole_open, file, 11));
        whole_sem_remove(file, id, &made);
    }
}
