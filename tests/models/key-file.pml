/*
 * The key file of System V segments: making, opening and removing a segment, its lock and its key file under the flock
 * of the file; the file is unlinked and made anew, and may then get the number, and so the key, that it had before.
 *
 * Stands for, step by step (files of src/NativeIpc; run.sh looks whether each of these is still there):
 *   openKey      KeyFileOpening.Run, KeyFileOpening.TryRound, KeyFileOpening.Lock, KeyFileOpening.TryMake,
 *                NewKeyFile.Make, NewKeyFile.MakeLocked, KeyFileTrust.FindStranger, FileLock.Take
 *   release      KeyFile.Dispose
 *   removeFile   KeyFile.RemoveIfUnused, KeyFile.IsUsed, KeyFile.TakeBack
 *   prepare      KeyFileSession.Open, KeyFile.MayBeInTheMaking
 *   markIfBare   KeyFile.MarkIfBare
 *   obtain       SystemVSegments.MakeOrAttach, KeyFileSession.Obtain, SystemVSegments.AttachMade,
 *                SystemVSegments.AttachFound
 *   find         SystemVSegments.Open, KeyFileSession.Find
 *   openLock     SystemVDetach.OpenLock, SystemVLocks.Open, LockedSegment.Look, SystemVLocks.TryFindFast,
 *                SystemVSemaphores.Create, SystemVCounts.TrySet
 *   takeLockNow  SystemVLocks.TryTake
 *   detach       SystemVDetach.DetachOnce, SystemVDetach.RemoveIfLast, SystemVDetach.TryRemoveFast,
 *                SystemVLocks.Release, SystemVDetach.TryLock, SystemVDetach.RemoveAll
 *
 * Properties
 *   the same object     two that use the key at the same time use the same segment, which has its key (assert in enter)
 *   none removed in use a removal finds no user of the segment (assert in removeSegment)
 *   no key of another   a file is removed only when no object of any of its project ids is left, so a maker finds
 *                       none under its key (assert in openKey)
 *   one maker           whoever makes a segment does so under the file that the path leads to (assert in obtain)
 *   a death is mended   whoever comes after a death makes or finds the segment, and the last one removes all that
 *                       there is: segment, lock and file (asserts in Last); nobody waits for ever (invalid end states)
 *   one permit          nobody has the segment's lock together with another (assert in takeLock)
 *
 * Assumptions
 *   - Each system call is one step; an operation of several semop steps, too. What only the holder of the flock changes
 *     is looked at in the same step as the call before.
 *   - At a death, at any step, at most one in a run: the kernel detaches, then undoes (SEM_UNDO), then closes what was
 *     open and gives back its locks.
 *   - flock(2) waits for as long as it takes. A number of a file is used again only when the file has neither a name
 *     nor a descriptor. Ids of objects are not used again while a process remembers one.
 *   - A young file without an object is waited for once, or not at all: how long does not matter.
 *
 * Left out: files that cannot be locked or linked that way, links, other owners, peers that know no lock (Qt: what the
 * looks after the attach are for), removal by key and by creators, Reclaim, kernel.shm_rmid_forced, handing out groups,
 * failures for want of memory, legacy keys (whose lock has a file of its own), a bound that passes while the lock is
 * waited for (the segment is then left to the next one).
 *
 * Variants: none, three processes make or open; LOCKS, of which so many use the lock; MARKS, the third one has another
 * project id. Which processes open beside making, and which wait for a young file, is then cut down: CAN_FIND,
 * CAN_WAIT; and of several kinds of processes only the first one dies, unless ANYBODY may. Faults that must be found:
 * see run.sh.
 */
#ifndef LOCKS
#define LOCKS 0
#endif
#define ALL 4       /* the fourth one comes when the others have gone */
#define NOBODY 9
#define INODES 3
#define IDS 5       /* 1 to 4 */
#ifdef MARKS
#define PROJECTS 2
#define PROJECT ((me == 2 -> 1 : 0))
#else
#define PROJECTS 1
#define PROJECT 0
#endif
#ifdef MARKS
#define SEPARATE(one) (((one) == 2) != (me == 2))
#define CAN_FIND (me == 0)
#define CAN_WAIT (me == 2)
#else
#define CAN_FIND (LOCKS == 0 || me == 1)
#define CAN_WAIT (true)
#define SEPARATE(one) (false)
#endif
#ifdef BREAK_NAME
#define HAS_NAME (true)
#else
#define HAS_NAME (named[file])
#endif
#ifdef BREAK_MARK
#define MARK skip
#else
#define MARK marked[file] = true
#endif
#ifdef BREAK_LOOK
#define BREAK_FIRST_LOOK
#define MAY_REMOVE (true)
#else
#define MAY_REMOVE IS_UNUSED
#endif
#ifdef BREAK_HOLDING
/* Attaches after it has let go of the file. */
#define ATTACH \
    keyFile = file; \
    release(); \
    if :: d_step { ownSegment[me] != 0 -> file = keyFile; opens[file]++; enter() } :: ownSegment[me] == 0 fi;
#else
#define ATTACH \
    if :: MORTAL :: d_step { ownSegment[me] != 0 -> enter() } :: ownSegment[me] == 0 fi;
#endif
#ifdef BREAK_FIRST_LOOK
#define LOOKS_GOOD (true)
#else
#define LOOKS_GOOD IS_UNUSED
#endif
#define KEY(file) (((file) - 1) * PROJECTS + PROJECT)

#define OTHER_KEY ((file - 1) * PROJECTS + 1 - PROJECT)
#ifdef BREAK_FINISHING
#define FINISHES false
#else
#define FINISHES true
#endif

/* The file system: what the path leads to, and files by number from 1. */
byte path;
bool named[INODES + 1];
byte opens[INODES + 1];
byte exclusive[INODES + 1];   /* who has its flock, and 1 */
byte shared[INODES + 1];
bool marked[INODES + 1];      /* KeyFile.SharedMark */

/* System V, by key: ids from 1, 0 for none. */
byte segment[INODES * PROJECTS];
byte set[INODES * PROJECTS];
byte attached[IDS];
byte value[IDS];              /* of a set */
bool fresh[IDS];              /* no operation was done on it yet (sem_otime is 0) */
byte holder[IDS];             /* whose death the kernel undoes the taking at, and 1 */

/* What each process remembers. */
byte ownSegment[ALL];
byte ownSet[ALL];
bool isAttached[ALL];
bool isInside[ALL];
byte ended;

bool died;
byte mortal = NOBODY;

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
                exclusive[file] == 0 && (reads || shared[file] == 0) ->
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
            for (place : 0 .. PROJECTS - 1) {
                assert(segment[(file - 1) * PROJECTS + place] == 0 && set[(file - 1) * PROJECTS + place] == 0)
            }
            place = 0
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

inline hasOthers() {
    found = false;
#ifdef MARKS
    if
    :: segment[OTHER_KEY] != 0 || set[OTHER_KEY] != 0 -> found = true
    :: else -> skip
    fi
#endif
}

/* Under the file's lock. */
inline removeFile() {
    if
    :: MORTAL
    :: atomic {
            hasOthers();
            if
            :: path == file && segment[KEY(file)] == 0 && set[KEY(file)] == 0 && !(marked[file] && found) ->
                path = 0;
                named[file] = false
            :: else -> skip
            fi;
            found = false
        }
    fi
}

inline newSegment() {
    for (place : 1 .. IDS - 1) {
        isUsed = false;
        for (other : 0 .. INODES * PROJECTS - 1) { isUsed = isUsed || segment[other] == place }
        for (other : 0 .. ALL - 1) { isUsed = isUsed || ownSegment[other] == place }
        if
        :: !isUsed -> break
        :: else -> skip
        fi
    }
    assert(!isUsed);
    segment[KEY(file)] = place;
    attached[place] = 0;
    place = 0;
    other = 0
}

/* The set has no count yet. */
inline newSet() {
    for (place : 1 .. IDS - 1) {
        isUsed = false;
        for (other : 0 .. INODES * PROJECTS - 1) { isUsed = isUsed || set[other] == place }
        for (other : 0 .. ALL - 1) { isUsed = isUsed || ownSet[other] == place }
        if
        :: !isUsed -> break
        :: else -> skip
        fi
    }
    assert(!isUsed);
    set[KEY(file)] = place;
    value[place] = 0;
    holder[place] = 0;
    fresh[place] = true;
    place = 0;
    other = 0
}

inline enter() {
    isAttached[me] = true;
    isInside[me] = true;
    attached[ownSegment[me]]++;
    keyFile = file;
    assert(segment[KEY(keyFile)] == ownSegment[me]);
    for (other : 0 .. ALL - 1) {
        assert(!isInside[other] || ownSegment[other] == ownSegment[me] || SEPARATE(other))
    }
    other = 0
}

inline prepare() {
    do
    :: openKey(true, false);
        if
        :: !isNew && segment[KEY(file)] == 0 && set[KEY(file)] == 0 && !waited -> waited = true; release()
        :: !isNew && segment[KEY(file)] == 0 && set[KEY(file)] == 0 -> isBare = true; break
        :: isNew || segment[KEY(file)] != 0 || set[KEY(file)] != 0 -> break
        fi
    od
}

inline markIfBare() {
    if
    :: MORTAL
    :: !isBare -> skip
    :: isBare -> isBare = false; MARK
    fi
}

inline obtain() {
    prepare();
    markIfBare();
    if
    :: MORTAL
    :: d_step {
            assert(path == file);
            if
            :: segment[KEY(file)] == 0 -> newSegment()
            :: else -> skip
            fi;
            ownSegment[me] = segment[KEY(file)]
        }
    fi;
    if
    :: MORTAL
    :: d_step { enter() }
    fi;
    if
    :: MORTAL
    :: release()
    fi
}

inline find() {
    openKey(false, true);
    if
    :: file == 0 -> skip
    :: file != 0 ->
        if
        :: MORTAL
        :: ownSegment[me] = segment[KEY(file)]
        fi;
        ATTACH
        if
        :: MORTAL
        :: release()
        fi
    fi
}

#define IS_THERE (segment[KEY(keyFile)] == ownSegment[me])
#define IS_UNUSED (IS_THERE && attached[ownSegment[me]] == 0)
#define HAS_SET (ownSet[me] != 0 && set[KEY(lockFile)] == ownSet[me])

inline removeSegment() {
    assert(attached[ownSegment[me]] == 0);
    for (other : 0 .. ALL - 1) {
        assert(!isInside[other] || ownSegment[other] != ownSegment[me])
    }
    other = 0;
    segment[KEY(keyFile)] = 0
}

/* Opens the segment's lock, made now if there is none; ownSet is 0 when the segment has been removed. */
inline openLock() {
    ownSet[me] = 0;
    /* TryFindFast: without the file's lock, in four looks. */
    if
    :: MORTAL
    :: atomic { IS_THERE -> ownSet[me] = set[KEY(keyFile)] }
    :: atomic { !IS_THERE -> isOver = true }
    fi;
    if
    :: ownSet[me] != 0 ->
        if
        :: set[KEY(keyFile)] == ownSet[me] && !fresh[ownSet[me]] ->
            if
            :: atomic { path == keyFile -> lockFile = keyFile }
            :: atomic { path != keyFile -> ownSet[me] = 0 }
            fi
        :: atomic { !(set[KEY(keyFile)] == ownSet[me] && !fresh[ownSet[me]]) -> ownSet[me] = 0 }
        fi;
        if
        :: atomic { ownSet[me] != 0 && !IS_THERE -> ownSet[me] = 0; isOver = true }
        :: ownSet[me] == 0 || IS_THERE -> skip
        fi
    :: ownSet[me] == 0 -> skip
    fi;
    if
    :: isOver || ownSet[me] != 0 -> skip
    :: else ->
        prepare();
        if
        :: MORTAL
        :: atomic { !IS_THERE -> isOver = true; isBare = false }
            if
            :: isNew -> removeFile()
            :: else -> skip
            fi
        :: IS_THERE ->
            markIfBare();
            if
            :: MORTAL
            :: d_step {
                    if
                    :: set[KEY(file)] == 0 -> newSet(); isMade = true
                    :: else -> skip
                    fi;
                    ownSet[me] = set[KEY(file)];
                    lockFile = file
                }
            fi;
            /* Whoever left it without a count has died: it is finished. */
            if
            :: MORTAL
            :: d_step {
                    if
                    :: fresh[ownSet[me]] && (isMade || FINISHES) -> value[ownSet[me]] = 1; fresh[ownSet[me]] = false
                    :: else -> skip
                    fi;
                    isMade = false
                }
            fi
        fi;
        if
        :: MORTAL
        :: release()
        fi
    fi
}

/* Takes the lock that was opened, and waits for it; ownSet is 0 when it has gone. */
inline takeLock() {
    if
    :: MORTAL
    :: atomic {
            HAS_SET && value[ownSet[me]] == 1 ->
            assert(holder[ownSet[me]] == 0);
            value[ownSet[me]] = 0;
            holder[ownSet[me]] = me + 1
        }
    :: atomic { !HAS_SET -> ownSet[me] = 0 }
    fi
}

inline giveLock() {
    if
    :: MORTAL
    :: d_step {
            if
            :: HAS_SET && holder[ownSet[me]] == me + 1 -> value[ownSet[me]] = 1; holder[ownSet[me]] = 0
            :: else -> skip
            fi
        }
    fi
}

/* TryTake, under the lock of the segment's own file; isTaken says whether it is. */
inline takeLockNow() {
    if
    :: MORTAL
    :: d_step {
            lockFile = keyFile;
            if
            :: opened == 0 && set[KEY(file)] == 0 -> newSet(); isMade = true
            :: else -> isMade = false
            fi;
            if
            :: opened == 0 || opened == set[KEY(file)] -> ownSet[me] = set[KEY(file)]
            :: else -> ownSet[me] = 0
            fi
        }
    fi;
    if
    :: MORTAL
    :: d_step {
            if
            :: ownSet[me] != 0 && HAS_SET && (isMade || value[ownSet[me]] == 1) ->
                value[ownSet[me]] = 0;
                fresh[ownSet[me]] = false;
                holder[ownSet[me]] = me + 1;
                isTaken = true
            :: else -> isTaken = false
            fi;
            isMade = false
        }
    fi
}

/* TryRemoveFast: under the file's lock throughout. isLong says that nothing was done. */
inline removeFast() {
    isLong = true;
    opened = ownSet[me];
    if
    :: opened != 0 && lockFile != keyFile -> skip
    :: else ->
        openKey(false, false);
        if
        :: file != keyFile || !LOOKS_GOOD -> isLong = (file != keyFile)
        :: else ->
            takeLockNow();
            if
            :: !isTaken -> skip
            :: else ->
                isLong = false;
                isTaken = false;
                if
                :: MORTAL
                :: !MAY_REMOVE -> giveLock()
                :: MAY_REMOVE ->
                    if
                    :: MORTAL
                    :: d_step { removeSegment() }
                    fi;
                    if
                    :: MORTAL
                    :: set[KEY(file)] = 0
                    fi;
                    removeFile()
                fi
            fi
        fi;
        if
        :: MORTAL
        :: file != 0 -> release()
        :: file == 0 -> skip
        fi
    fi
}

/* The segment's lock first, then the file's. */
inline removeTheLongWay() {
    do
    :: MORTAL
    :: path == 0 || segment[KEY(path)] != ownSegment[me] -> ownSet[me] = 0; break
    :: path != 0 && segment[KEY(path)] == ownSegment[me] ->
        openLock();
        if
        :: isOver -> break
        :: else -> skip
        fi;
        takeLock();
        if
        :: ownSet[me] != 0 -> break
        :: ownSet[me] == 0 && IS_UNUSED -> skip
        :: ownSet[me] == 0 && !IS_UNUSED -> isOver = true; break
        fi
    od;
    if
    :: isOver -> isOver = false
    :: else ->
        openKey(false, false);
        if
        :: MORTAL
        :: !IS_UNUSED -> skip
        :: d_step { IS_UNUSED -> removeSegment() }
            if
            :: file != 0 && segment[KEY(file)] != 0 -> skip
            :: else ->
                if
                :: MORTAL
                :: file == keyFile -> set[KEY(file)] = 0
                :: file != keyFile -> skip
                fi;
                if
                :: MORTAL
                :: d_step { HAS_SET -> set[KEY(lockFile)] = 0 }
                :: !HAS_SET -> skip
                fi;
                if
                :: file != 0 -> removeFile()
                :: else -> skip
                fi
            fi
        fi;
        if
        :: MORTAL
        :: file != 0 -> release()
        :: file == 0 -> skip
        fi;
        giveLock()
    fi
}

/* Detaches, and removes the segment if nobody is attached any more. */
inline detach() {
    if
    :: MORTAL
    :: d_step {
            isInside[me] = false;
            isAttached[me] = false;
            attached[ownSegment[me]]--
        }
    fi;
    if
    :: MORTAL
    :: !IS_UNUSED -> skip
    :: IS_UNUSED ->
        removeFast();
        if
        :: isLong -> isLong = false; removeTheLongWay()
        :: else -> skip
        fi
    fi;
    d_step { ownSegment[me] = 0; ownSet[me] = 0; keyFile = 0; lockFile = 0; waited = !CAN_WAIT; opened = 0 }
}

/* The kernel ends a process. */
inline die() {
    d_step {
        isInside[me] = false;
        if
        :: isAttached[me] -> attached[ownSegment[me]]--; isAttached[me] = false
        :: else -> skip
        fi
    }
    d_step {
        for (place : 1 .. IDS - 1) {
            if
            :: holder[place] == me + 1 -> holder[place] = 0; value[place] = 1
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
        ownSegment[me] = 0;
        ownSet[me] = 0
    }
}

proctype User(byte me; bool mayDie) {
    byte file, keyFile, lockFile, opened, place, other;
    bool isNew, isShared, isBare, isUsed, isOver, isLong, isTaken, isMade, found;
    bool waited = !CAN_WAIT;
    if
    :: obtain()
    :: CAN_FIND -> find()
    fi;
    if
    :: !isAttached[me] -> ownSegment[me] = 0
    :: else ->
        if
        :: me < LOCKS ->
            openLock();
            assert(!isOver);
            takeLock();
            assert(ownSet[me] != 0);
            giveLock()
        :: else -> skip
        fi;
        detach()
    fi;
    goto over;
gone:
    die();
over:
    ended++
}

inline nothingIsLeft() {
    d_step {
        assert(path == 0);
        for (place : 0 .. INODES * PROJECTS - 1) { assert(segment[place] == 0 && set[place] == 0) }
        place = 0
    }
}

/* Comes after all: whatever a death has left behind is used, and goes. */
proctype Last(byte me; bool mayDie) {
    byte file, keyFile, lockFile, opened, place, other;
    bool isNew, isShared, isBare, isUsed, isOver, isLong, isTaken, isMade, found, waited;
    ended == 3;
    if
    :: died -> skip
    :: else -> nothingIsLeft()
    fi;
    obtain();
    detach();
    /* What a dead process has left under the other project id is for the users of that. */
    if
    :: died && PROJECTS > 1 -> skip
    :: else -> nothingIsLeft()
    fi;
    goto over;
gone:
    assert(false);
over:
    skip
}

init {
    atomic {
        if
        :: mortal = 0
#if defined(ANYBODY)
        :: mortal = 1
        :: mortal = 2
#endif
        :: skip
        fi;
        run User(0, mortal == 0);
        run User(1, mortal == 1);
        run User(2, mortal == 2);
        run Last(3, false)
    }
}
