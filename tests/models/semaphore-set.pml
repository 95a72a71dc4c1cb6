/*
 * A System V semaphore of its own: making, finding, finishing and removing the set and its key file under the flock of
 * the file. The owner of the set removes it while others use it; those make it anew. The file is unlinked and made
 * anew, and may then get the number, and so the key, that it had before.
 *
 * Stands for, step by step (files of src/NativeIpc; run.sh looks whether each of these is still there):
 *   openKey      KeyFileOpening.Run, KeyFileOpening.Lock, KeyFileOpening.TryMake, NewKeyFile.MakeLocked, FileLock.Take
 *   release      KeyFile.Dispose
 *   create       SystemVSemaphores.Create, KeyFileSession.Open, KeyFileSession.Obtain, KeyFile.MarkIfBare,
 *                SystemVCounts.WaitUntilSet, SystemVCounts.TrySet
 *   find         SystemVSemaphores.TryOpenFast, SystemVSemaphores.Open, KeyFileSession.Find
 *   use          SystemVSemaphore.Operate, SystemVSemaphore.GoOnAfterLoss, SystemVSemaphore.Revive
 *   close        SystemVSemaphoreRemoval.Remove, KeyFile.RemoveIfUnused
 *
 * Properties
 *   one set             two that have the key's semaphore open, and whose sets both live, have the same (assert in
 *                       enter)
 *   complete            a process that has it open by a creating call finds a set with its count (assert in enter)
 *   one initial count   permits that are free and taken are as many as the initial count, however often the set was
 *                       finished for a dead maker (asserts in enter and use)
 *   no key of another   a file is removed only without a set, so a maker finds none under its key (assert in
 *                       openKey)
 *   a death is mended   whoever comes after a death makes, finishes or takes over the set, gets its permit, and removes
 *                       it (asserts in Last); nobody waits for ever (invalid end states)
 *   nothing is left     without a death, neither set nor file (assert in Last)
 *
 * Assumptions
 *   - Each system call is one step; an operation of several semop steps, too.
 *   - At a death, at any step: the kernel undoes what was taken (SEM_UNDO), then closes what was
 *     open and gives back its locks.
 *   - A number of a file is used again only when the file has neither a name nor a descriptor. Ids of sets are not used
 *     again while a process remembers one.
 *   - A young file without a set, and a set without a count, are waited for once: how long does not matter, but that a
 *     maker that holds the file's lock has died when another one has it.
 *
 * Left out: files that cannot be locked (then a maker that sleeps longer than it is waited for gives its count to a set
 * that was finished and taken meanwhile), links, other owners, peers that know no lock, other project ids, releasing
 * into a set that was removed while a permit was taken, and permits without undo.
 *
 * Variants: none, three processes create or open, and the first one may die; OPENS, the third one only opens; TWICE,
 * the second one may die, too. Faults that must be found: see run.sh.
 */
#define ALL 4       /* the fourth one comes when the others have gone */
#define INODES 3
#define IDS 6       /* 1 to 5 */
#define INITIAL 1

#ifdef BREAK_NAME
#define HAS_NAME (true)
#else
#define HAS_NAME (named[file])
#endif
#ifdef BREAK_FINISHING
#define FINISHES false
#else
#define FINISHES true
#endif
#ifdef BREAK_ADDING
/* Finishes a set by adding to the count, and again until an operation was done on it. */
#define NEEDS_COUNT (!timed[ownSet[me]])
#define GIVE_COUNT value[ownSet[me]] = value[ownSet[me]] + INITIAL
#else
#define NEEDS_COUNT (!touched[ownSet[me]])
#define GIVE_COUNT value[ownSet[me]] = INITIAL
#endif
#ifdef BREAK_FRESH
#define LOOKS_COMPLETE lives[ownSet[me]]
#else
#define LOOKS_COMPLETE (lives[ownSet[me]] && timed[ownSet[me]])
#endif
#ifdef BREAK_LOCK
#define IS_FREE (true)
#else
#define IS_FREE (exclusive[file] == 0 && (reads || shared[file] == 0))
#endif
#ifdef OPENS
#define FINDS (me == 2)
#else
#define FINDS false
#endif

/* The file system: what the path leads to, and files by number from 1. */
byte path;
bool named[INODES + 1];
byte opens[INODES + 1];
byte exclusive[INODES + 1];   /* who has its flock, and 1 */
byte shared[INODES + 1];
bool marked[INODES + 1];

/* System V, by the number of the file: ids from 1, 0 for none. */
byte set[INODES + 1];
bool lives[IDS];
byte value[IDS];
bool touched[IDS];            /* SETVAL or an operation was done on it (its last process is not 0) */
bool timed[IDS];              /* an operation was done on it (sem_otime is not 0) */
byte holder[IDS];             /* who has its permit, and 1 */

byte ownSet[ALL];
bool isInside[ALL];
byte ended;
bool died;

inline release() {
    d_step {
        if
        :: exclusive[file] == me + 1 -> exclusive[file] = 0
        :: isShared -> isShared = false; shared[file]--
        :: else -> skip
        fi;
        opens[file]--;
        if
        :: !named[file] && opens[file] == 0 -> marked[file] = false
        :: else -> skip
        fi;
        file = 0;
        isNew = false
    }
}

/* A death; an option beside each step. */
#define MORTAL mayDie -> goto gone

/* Opens and locks the key file; file is 0 when there is none and none was to be made. */
inline openKey(makes, reads) {
    do
    :: MORTAL
    :: atomic { path != 0 -> file = path; opens[file]++ }
        if
        :: MORTAL
        :: atomic {
                IS_FREE ->
                if
                :: reads -> shared[file]++; isShared = true
                :: else -> exclusive[file] = me + 1
                fi;
                if
                :: HAS_NAME -> break
                :: else -> release()
                fi
            }
        fi
    :: atomic { path == 0 && !makes -> file = 0; break }
    :: atomic {
            path == 0 && makes ->
            if
            :: !named[1] && opens[1] == 0 -> file = 1
            :: !named[2] && opens[2] == 0 -> file = 2
            :: !named[3] && opens[3] == 0 -> file = 3
            fi;
            opens[file] = 1;
            exclusive[file] = me + 1;
            assert(set[file] == 0)
        }
        if
        :: MORTAL
        :: atomic {
                if
                :: path == 0 -> path = file; named[file] = true; isNew = true; break
                :: else -> release()
                fi
            }
        fi
    od
}

inline newSet() {
    for (place : 1 .. IDS - 1) {
        isUsed = lives[place];
        for (other : 0 .. ALL - 1) { isUsed = isUsed || ownSet[other] == place }
        if
        :: !isUsed -> break
        :: else -> skip
        fi
    }
    assert(!isUsed);
    set[file] = place;
    lives[place] = true;
    value[place] = 0;
    holder[place] = 0;
    touched[place] = false;
    timed[place] = false;
    place = 0;
    other = 0
}

#define PERMITS(id) (value[id] + (holder[id] != 0 -> 1 : 0))

inline enter(isComplete) {
    isInside[me] = true;
    assert(!isComplete || touched[ownSet[me]] || !lives[ownSet[me]]);
    assert(!touched[ownSet[me]] || !lives[ownSet[me]] || PERMITS(ownSet[me]) == INITIAL);
    for (other : 0 .. ALL - 1) {
        assert(!isInside[other] || ownSet[other] == ownSet[me] || !lives[ownSet[other]] || !lives[ownSet[me]])
    }
    other = 0
}

/* Creates it, or opens the one that is there; with resets, takes that over. */
inline create(resets) {
    do
    :: openKey(true, false);
        if
        :: !isNew && set[file] == 0 && !waited -> waited = true; release()
        :: !isNew && set[file] == 0 && waited -> isBare = true; break
        :: isNew || set[file] != 0 -> break
        fi
    od;
    if
    :: MORTAL
    :: !isBare -> skip
    :: isBare -> isBare = false; marked[file] = true
    fi;
    if
    :: MORTAL
    :: d_step {
            if
            :: set[file] == 0 -> newSet(); isMade = true
            :: else -> isMade = false
            fi;
            ownSet[me] = set[file];
            isOwner = isMade || resets
        }
    fi;
    if
    :: MORTAL
    :: d_step {
            isMade ->
            /* One operation: only while the count is 0. */
            if
            :: value[ownSet[me]] == 0 -> value[ownSet[me]] = INITIAL
            :: else -> skip
            fi;
            touched[ownSet[me]] = true;
            timed[ownSet[me]] = true
        }
    :: d_step {
            !isMade && (resets || (NEEDS_COUNT && FINISHES)) ->
            GIVE_COUNT;
            touched[ownSet[me]] = true;
            isOwner = true
        }
        if
        :: MORTAL
        :: timed[ownSet[me]] = true
        fi
    :: !isMade && !resets && !(NEEDS_COUNT && FINISHES) -> skip
    fi;
    d_step {
        madeFile = isNew || (madeFile && setFile == file);
        setFile = file;
        enter(true)
    }
    if
    :: MORTAL
    :: release()
    fi
}

/* Opens it: without the file's lock, in four looks, or with it. */
inline find() {
    if
    :: MORTAL
    :: seen = path
    fi;
    if
    :: MORTAL
    :: seen == 0 -> skip
    :: atomic { seen != 0 -> ownSet[me] = set[seen] }
    fi;
    if
    :: ownSet[me] == 0 -> skip
    :: ownSet[me] != 0 ->
        if
        :: MORTAL
        :: atomic { !LOOKS_COMPLETE -> ownSet[me] = 0 }
        :: LOOKS_COMPLETE -> skip
        fi;
        if
        :: MORTAL
        :: d_step {
                if
                :: path != seen -> ownSet[me] = 0
                :: ownSet[me] != 0 && path == seen -> enter(true)
                :: else -> skip
                fi
            }
        fi
    fi;
    seen = 0;
    if
    :: isInside[me] -> skip
    :: else ->
        openKey(false, true);
        if
        :: file == 0 -> skip
        :: file != 0 ->
            if
            :: MORTAL
            :: ownSet[me] = set[file]
            fi;
            if
            :: MORTAL
            :: d_step {
                    if
                    :: ownSet[me] != 0 && named[file] -> enter(false)
                    :: else -> ownSet[me] = 0
                    fi
                }
            fi;
            if
            :: MORTAL
            :: release()
            fi
        fi
    fi
}

/* Takes the permit and gives it back; a set that has gone is made anew. */
inline use() {
    do
    :: MORTAL
    :: !isInside[me] -> break
    :: atomic {
            isInside[me] && lives[ownSet[me]] && value[ownSet[me]] > 0 ->
            assert(holder[ownSet[me]] == 0);
            value[ownSet[me]]--;
            holder[ownSet[me]] = me + 1;
            touched[ownSet[me]] = true;
            timed[ownSet[me]] = true;
            assert(PERMITS(ownSet[me]) == INITIAL)
        }
        if
        :: MORTAL
        :: d_step {
                if
                :: lives[ownSet[me]] && holder[ownSet[me]] == me + 1 -> value[ownSet[me]]++; holder[ownSet[me]] = 0
                :: else -> skip
                fi
            }
        fi;
        break
    :: atomic { isInside[me] && !lives[ownSet[me]] && !FINDS -> isInside[me] = false; isOwner = false }
        create(false)
    :: isInside[me] && !lives[ownSet[me]] && FINDS -> break
    /* Its maker has died, and nobody comes to finish it. */
    :: isInside[me] && FINDS && timeout -> break
    od
}

/* Removes the set that this process owns, and the file if it made that, or it is marked. */
inline close() {
    isInside[me] = false;
    if
    :: !isOwner -> skip
    :: isOwner ->
        openKey(false, false);
        if
        :: MORTAL
        :: d_step {
                lives[ownSet[me]] ->
                for (other : 1 .. INODES) {
                    if
                    :: set[other] == ownSet[me] -> set[other] = 0
                    :: else -> skip
                    fi
                }
                other = 0;
                lives[ownSet[me]] = false;
                value[ownSet[me]] = 0;
                holder[ownSet[me]] = 0
            }
        :: !lives[ownSet[me]] -> skip
        fi;
        if
        :: MORTAL
        :: d_step {
                if
                :: file != 0 && file == setFile && (madeFile || marked[file]) && path == file && set[file] == 0 ->
                    path = 0;
                    named[file] = false
                :: else -> skip
                fi
            }
        fi;
        if
        :: MORTAL
        :: file != 0 -> release()
        :: file == 0 -> skip
        fi;
        isOwner = false
    fi
}

/* The kernel ends a process. */
inline die() {
    d_step {
        isInside[me] = false;
        for (place : 1 .. IDS - 1) {
            if
            :: holder[place] == me + 1 -> holder[place] = 0; value[place]++
            :: else -> skip
            fi
        }
        place = 0
    }
    d_step {
        if
        :: file != 0 -> release()
        :: else -> skip
        fi;
        died = true;
        ownSet[me] = 0
    }
}

proctype User(byte me; bool mayDie) {
    byte file, seen, setFile, place, other;
    bool isNew, isShared, isBare, isUsed, isMade, isOwner, madeFile, waited;
    if
    :: FINDS -> find()
    :: else -> create(false)
    fi;
    use();
    close();
    ownSet[me] = 0;
    goto over;
gone:
    die();
over:
    ended++
}

inline noSetIsLeft() {
    d_step {
        for (place : 1 .. INODES) { assert(set[place] == 0) }
        place = 0
    }
}

/* Comes after all: whatever a death has left behind is taken over, and goes. */
proctype Last(byte me; bool mayDie) {
    byte file, seen, setFile, place, other;
    bool isNew, isShared, isBare, isUsed, isMade, isOwner, madeFile, waited;
    ended == 3;
    if
    :: died -> skip
    :: else -> noSetIsLeft(); assert(path == 0)
    fi;
    create(true);
    assert(isOwner && value[ownSet[me]] == INITIAL);
    close();
    noSetIsLeft();
    assert(died || path == 0);
    goto over;
gone:
    assert(false);
over:
    skip
}

init {
    atomic {
        run User(0, true);
#ifdef TWICE
        run User(1, true);
#else
        run User(1, false);
#endif
        run User(2, false);
        run Last(3, false)
    }
}
