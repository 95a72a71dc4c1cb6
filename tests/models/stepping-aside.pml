/*
 * A lock whose holder has left no mark, a C program, and may have died: one handle of the library asks (A), the
 * other one (B) lets go of the file for a moment, and the kernel's lease proves that nobody can hold the lock. Each of
 * the two has a thread that waits and the attendant's thread; C takes and gives by the C library.
 *
 * Stands for, step by step (files of src/NativeIpc; run.sh looks whether each of these is still there):
 *   waiting      LockWord.TryTake, HeldSemaphore.TryRecover, HeldSemaphore.FreeIfAlone, MappedSemaphore.Sleep
 *   prove        LockWord.FreeIfLeased
 *   ask          LockAttendant.Proceed, SteppingAside.TryAsk, SteppingAside.TryEndAsking, HolderSlots.EndAsking
 *   step aside   LockAttendant.FileChanged, SteppingAside.StepAsideIfAsked, SteppingAside.TryStepAside,
 *                SteppingAside.SwapPages, SteppingAside.GoOrReturn, SteppingAside.TryReleaseFile
 *   return       SteppingAside.TryReturn, SteppingAside.TryReturnIfOver, SteppingAside.TryReturnHere,
 *                SteppingAside.TryReturnTo, SteppingAside.TryReplace, LockWord.BeginReturn, LockWord.EndReturn
 *   give         HeldSemaphore.GiveBack, LockWord.TryGive
 *   close        SteppingAside.Close, HeldSemaphore.Close
 *
 * Properties
 *   one holder, no live one robbed   a taker, and whoever frees the lock, finds no holder (asserts in taken and prove)
 *   a dead one is freed, and told    nobody is left waiting: an invalid end state; the taker is told (assert in taken)
 *   the number of waiters            never passes below 0, so the mark above it stays (assert in change)
 *   the mark stays                   a giver finds its own mark (assert in give)
 *
 * Assumptions
 *   - Those of lock-word.pml on the word, on futex(2) and on deaths.
 *   - fcntl(F_SETLEASE): given only while nobody else has the file open or mapped; while it is held, others that open
 *     the file wait, or come back later (O_NONBLOCK). It goes with its holder.
 *   - mremap(2) exchanges the page in one step.
 *   - Times: a slice and a request end when nothing else moves (LONG: once at any time, too), a slice up to twice in a
 *     wait. Being aside ends at any time once, and when nothing else moves.
 *
 * Left out: two that ask at once, handles of the same process, a page that cannot be put back, newcomers that claim the
 * slot of one that is aside for more than a minute, the pacing of requests and hints, closing while others wait for it.
 *
 * Variants: DIES is the process that may die, 2 (C) unless another one is named, 9 for none; TWICE, C comes once more;
 * LONG, slices and requests may end at any time. Faults that must be found: see run.sh.
 */
#define A 0
#define B 1
#define C 2
#define NOBODY 9
#define ABANDONED 7
#define MARK(handle) ((handle) + 1)

/* The word of the true page; C holds it. */
byte count = 0;
byte mark = 0;
short waiters = 0;

/* B's page that stands in, and how many have joined there more than have left. */
bool isAway;
short joined;

byte request;       /* who asks, and 1 */
byte lease;         /* who has it, and 1 */
bool opened[3] = true;
byte slotOf[2];     /* who has the lock of the slot of a handle, and 1 */
byte asleep[3];     /* 1 on the true page, 2 on the one that stands in */
bool gate[2];
bool wantsToAsk;
bool isAsking;
bool isClosing[2];
bool dead[3];

byte owner = C;
bool lost;
byte mortal = NOBODY;

#ifdef BREAK_SURPLUS
#define SURPLUS 0
#else
#define SURPLUS 1
#endif
#ifdef BREAK_LEASE
#define MAY_LEASE(handle) (lease == 0)
#else
#define MAY_LEASE(handle) (lease == 0 && !opened[C] && !opened[1 - handle])
#endif
#ifndef DIES
#define DIES 2
#endif
#if DIES == 0
#define A_MAY_DIE unless { dead[A] }
#else
#define A_MAY_DIE
#endif
#if DIES == 1
#define B_MAY_DIE unless { dead[B] }
#else
#define B_MAY_DIE
#endif
#if DIES == 2
#define C_MAY_DIE unless { dead[C] }
#else
#define C_MAY_DIE
#endif
#if DIES < 2
#define OURS_MAY_DIE unless { dead[me] }
#else
#define OURS_MAY_DIE
#endif
#ifdef LONG
#define SHORT false
#else
#define SHORT true
#endif
#ifdef BREAK_TELLING
#define MARK_OF_THE_DEAD 0
#else
#define MARK_OF_THE_DEAD ABANDONED
#endif
#ifdef BREAK_ASKING
#define ASKS false
#else
#define ASKS (me == A)
#endif
#define IS_UNKNOWN (count == 0 && (mark == 0 || mark == ABANDONED))
#ifdef BREAK_SECOND_LOOK
#define MAY_LEAVE (true)
#else
#define MAY_LEAVE IS_UNKNOWN
#endif

inline taken(isTold) {
    assert(owner == NOBODY);
    owner = me;
    assert(isTold == lost);
    lost = false
}

inline change(difference) {
    waiters = waiters + (difference);
    assert(waiters >= 0)
}

/* Wakes one that sleeps on the true page. */
inline wakeOne() {
    if
    :: asleep[A] == 1 -> asleep[A] = 0
    :: asleep[B] == 1 -> asleep[B] = 0
    :: asleep[C] == 1 -> asleep[C] = 0
    :: asleep[A] != 1 && asleep[B] != 1 && asleep[C] != 1 -> skip
    fi
}

inline wakeIfNeeded() {
    if
    :: atomic { count > 0 && waiters > 0 -> skip }
        atomic { wakeOne() }
    :: atomic { !(count > 0 && waiters > 0) -> skip }
    fi
}

/* With the lease. */
inline prove() {
    atomic {
        if
        :: IS_UNKNOWN ->
            assert(owner == NOBODY);
            count = 1;
            mark = MARK_OF_THE_DEAD
        :: else -> skip
        fi
    }
    lease = 0;
    atomic {
        if
        :: count > 0 && waiters > 0 ->
            if
            :: asleep[A] == 1 -> asleep[A] = 0
            :: else -> skip
            fi;
            if
            :: asleep[B] == 1 -> asleep[B] = 0
            :: else -> skip
            fi;
            if
            :: asleep[C] == 1 -> asleep[C] = 0
            :: else -> skip
            fi
        :: else -> skip
        fi
    }
}

/* Of B, whose file is open again. */
inline replace() {
    atomic { before = joined; change(before + SURPLUS) }
    isAway = false;
    atomic { change(joined - before - SURPLUS); before = 0; joined = 0 }
    atomic {
        if
        :: asleep[B] == 2 -> asleep[B] = 0
        :: else -> skip
        fi
    }
    wakeIfNeeded()
}

inline comeBack() {
    atomic {
        if
        :: slotOf[B] == 0 -> slotOf[B] = B + 1; assert(mark != MARK(B))
        :: else -> opened[B] = false
        fi
    }
    if
    :: slotOf[B] == B + 1 -> replace()
    :: slotOf[B] != B + 1 -> skip
    fi
}

#define IS_HERE (me == A || !isAway)

/* The thread that waits. */
proctype Waiter(byte me) {
    byte quiet;
    short before;
    bool got, sliced = SHORT;
    {
        skip;
look:
        atomic {
            if
            :: IS_HERE && count > 0 ->
                taken(mark == ABANDONED);
                count = 0;
                mark = MARK(me);
                goto have
            :: IS_HERE && count == 0 && IS_UNKNOWN -> skip
            :: IS_HERE && count == 0 && mark == MARK(1 - me) -> goto recover
            :: !IS_HERE -> goto away
            fi
        }
        /* FreeIfAlone */
        if
        :: atomic {
                !gate[me] && IS_HERE && IS_UNKNOWN && MAY_LEASE(me) && !isAsking ->
                gate[me] = true;
                lease = me + 1
            }
            prove();
            gate[me] = false;
            goto look
        :: atomic {
                !gate[me] && IS_HERE && IS_UNKNOWN && !MAY_LEASE(me) ->
                wantsToAsk = (wantsToAsk || ASKS);
                goto join
            }
        :: atomic { !gate[me] && (!IS_HERE || !IS_UNKNOWN || isAsking) -> goto join }
        fi;
recover:
        atomic {
            !gate[me] ->
            if
            :: IS_HERE && slotOf[1 - me] == 0 -> gate[me] = true; slotOf[1 - me] = me + 1
            :: else -> goto join
            fi
        }
        atomic {
            if
            :: IS_HERE && count == 0 && mark == MARK(1 - me) -> taken(true); mark = MARK(me); got = true
            :: else -> skip
            fi
        }
        atomic {
            slotOf[1 - me] = 0;
            gate[me] = false;
            if
            :: got -> goto have
            :: else -> goto join
            fi
        }
away:
        /* TryReturnIfOver */
        if
        :: atomic {
                !gate[B] && isAway && !opened[B] && lease == 0 && !(request == A + 1 && IS_UNKNOWN) ->
                gate[B] = true;
                opened[B] = true
            }
            comeBack();
            atomic {
                gate[B] = false;
                if
                :: isAway -> goto join
                :: else -> goto look
                fi
            }
        :: atomic { !gate[B] && isAway && (opened[B] || lease != 0 || (request == A + 1 && IS_UNKNOWN)) -> goto join }
        :: atomic { !gate[B] && !isAway -> goto look }
        fi;
join:
        atomic {
            if
            :: IS_HERE -> change(1)
            :: else -> joined++
            fi
        }
again:
        atomic {
            if
            :: IS_HERE && count > 0 ->
                taken(mark == ABANDONED);
                count = 0;
                mark = MARK(me);
                got = true;
                goto leave
            :: else -> skip
            fi
        }
        atomic {
            if
            :: IS_HERE && count > 0 -> goto again
            :: IS_HERE && count == 0 -> asleep[me] = 1
            :: !IS_HERE -> asleep[me] = 2
            fi
        }
        if
        :: asleep[me] == 0 -> goto again
        :: atomic { asleep[me] != 0 && !sliced -> asleep[me] = 0; sliced = true }
        :: atomic { asleep[me] != 0 && timeout && quiet < 2 -> asleep[me] = 0; quiet++ }
        fi;
        atomic {
            if
            :: IS_HERE && count > 0 ->
                taken(mark == ABANDONED);
                count = 0;
                mark = MARK(me);
                got = true
            :: else -> skip
            fi
        }
leave:
        atomic {
            if
            :: IS_HERE ->
                change(-1);
                if
                :: count > 0 && waiters > 0 -> skip
                :: else -> goto left
                fi
            :: else -> joined--; goto left
            fi
        }
        atomic { wakeOne() }
left:
        if
        :: got -> skip
        :: !got -> goto look
        fi;
have:
        got = false;
give:
        atomic {
            if
            :: IS_HERE ->
                assert(count == 0 && mark == MARK(me) && owner == me);
                owner = NOBODY;
                count = 1;
                mark = 0;
                if
                :: waiters > 0 -> skip
                :: else -> goto given
                fi
            :: !IS_HERE -> goto wait
            fi
        }
        atomic { wakeOne(); goto given }
wait:
        !gate[me];
        goto give;
given:
        isClosing[me] = true
    } OURS_MAY_DIE
}

/* The attendant's thread of A. */
proctype Asker(byte me) {
    bool early = SHORT;
    {
        do
        :: atomic { wantsToAsk && !gate[A] && !isClosing[A] ->
                wantsToAsk = false;
                if
                :: IS_UNKNOWN && request == 0 -> request = A + 1; isAsking = true
                :: else -> skip
                fi
            }
        :: atomic {
                isAsking && !gate[A] && !isClosing[A] && IS_UNKNOWN && MAY_LEASE(A) ->
                gate[A] = true;
                lease = A + 1
            }
            prove();
            atomic { request = 0; isAsking = false; gate[A] = false }
        :: atomic { isAsking && !gate[A] && (!IS_UNKNOWN || isClosing[A]) -> request = 0; isAsking = false }
        :: atomic { isAsking && !gate[A] && !early -> early = true; request = 0; isAsking = false }
        :: atomic { isAsking && !gate[A] && timeout -> request = 0; isAsking = false }
        :: atomic { isClosing[A] && !isAsking && !gate[A] -> opened[A] = false; slotOf[A] = 0; break }
        od
    } A_MAY_DIE
}

/* The attendant's thread of B. */
proctype Aside(byte me) {
    short before;
    bool early, may;
    {
        do
        :: atomic { request == A + 1 && !isAway && !gate[B] && !isClosing[B] && IS_UNKNOWN -> gate[B] = true }
            atomic { isAway = true; joined = 0 }
            atomic { may = MAY_LEAVE }
            if
            :: may ->
                slotOf[B] = 0;
                opened[B] = false
            :: !may -> replace()
            fi;
            atomic { may = false; gate[B] = false }
        :: atomic { isAway && !gate[B] && lease == 0 && request == 0 -> gate[B] = true; opened[B] = true }
            comeBack();
            gate[B] = false
        :: atomic { isAway && !gate[B] && lease == 0 && !early -> early = true; gate[B] = true; opened[B] = true }
            comeBack();
            gate[B] = false
        :: atomic { isAway && !gate[B] && lease == 0 && timeout -> gate[B] = true; opened[B] = true }
            comeBack();
            gate[B] = false
        :: atomic { isClosing[B] && !isAway && !gate[B] -> opened[B] = false; slotOf[B] = 0; break }
        od
    } B_MAY_DIE
}

/* Holds at first; then gives, closes, and comes once more. */
proctype CProgram(byte me) {
#ifdef TWICE
    bool again;
#else
    bool again = true;
#endif
    {
        skip;
give:
        atomic {
            assert(owner == C);
            owner = NOBODY;
            count++;
            if
            :: waiters > 0 -> skip
            :: else -> goto close
            fi
        }
        atomic { wakeOne() }
close:
        opened[C] = false;
        if
        :: again -> goto over
        :: !again -> again = true
        fi;
        atomic { lease == 0 -> opened[C] = true }
        atomic {
            if
            :: count > 0 -> assert(owner == NOBODY); owner = C; count--; goto give
            :: else -> skip
            fi
        }
        atomic { change(1) }
sleep:
        atomic {
            if
            :: count > 0 -> assert(owner == NOBODY); owner = C; count--; change(-1); goto give
            :: else -> asleep[C] = 1
            fi
        }
        if
        :: asleep[C] == 0 -> goto sleep
        /* A wake-up that a dead process got is made good by the next look of one of ours only. */
        :: asleep[C] == 1 && timeout && mortal != NOBODY && dead[mortal] -> goto over
        fi;
over:
        skip
    } C_MAY_DIE
}

/* The one that dies, if any. */
proctype Death() {
    if
    :: mortal != NOBODY ->
        dead[mortal] = true;
        asleep[mortal] = 0;
        d_step {
            opened[mortal] = false;
            if
            :: lease == mortal + 1 -> lease = 0
            :: else -> skip
            fi;
            if
            :: slotOf[A] == mortal + 1 -> slotOf[A] = 0
            :: else -> skip
            fi;
            if
            :: slotOf[B] == mortal + 1 -> slotOf[B] = 0
            :: else -> skip
            fi;
            if
            :: owner == mortal -> owner = NOBODY; lost = true
            :: else -> skip
            fi
        }
        /* A request ends by its time. */
        if
        :: mortal == A && request != 0 -> request = 0
        :: else -> skip
        fi
    :: else -> skip
    fi
}

init {
    atomic {
        slotOf[A] = A + 1;
        slotOf[B] = B + 1;
        if
        :: mortal = DIES
        :: skip
        fi;
        run Waiter(A);
        run Waiter(B);
        run Asker(A);
        run Aside(B);
        run CProgram(C);
        run Death()
    }
}
