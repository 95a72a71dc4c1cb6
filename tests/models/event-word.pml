/*
 * The two words of a POSIX event, state and number of waiters (docs/layouts.md), on which processes of any language
 * set, reset and wait. Auto-reset, or with MANUAL manual-reset.
 *
 * Stands for, step by step, what docs/layouts.md says in words and each implementation does alike (run.sh looks whether
 * each of these is still there):
 *   set       nativeipc_event_set, nativeipc_event_give_back; EventWord.Set, EventWord.KeepGrant
 *   reset     nativeipc_event_reset; EventWord.TryReset
 *   waitFor   nativeipc_event_wait_until, nativeipc_event_take, nativeipc_event_leave; EventWord.TryTake,
 *             EventWord.AddWaiter, EventWord.RemoveWaiter, which change both words in one exchange
 *
 * Properties
 *   all is counted      what waits took, and what is there to take, is what Sets that changed something gave and the
 *                       initial state, less what Resets took back. So successful waits are never more than such Sets
 *                       and the initial state (assert in account; auto-reset)
 *   one for each Set    of three Sets, one after the other, the first of which begins when two sleep, two free one
 *                       each, and one stays; no grant is left when all is quiet (asserts in Look; auto-reset)
 *   no robbing          a Set that has woken one is not there for who has not been counted in (assert in Process;
 *                       auto-reset)
 *   all for one Set     whoever sleeps when a Set begins is freed, though a Reset follows at once (assert in Look;
 *                       manual-reset)
 *   no lost wake-up     nobody sleeps beside what he may have; after a death only until he looks, and then he has it
 *                       (asserts in Look)
 *   a death is mended   after all that, a new Set frees exactly one sleeper, or with MANUAL all of them, or else is
 *                       there for the next to come (asserts in Last)
 *
 * Assumptions
 *   - Each exchange and each read is one step, in one order for all. FUTEX_WAIT compares and goes to sleep in one step;
 *     FUTEX_WAKE takes whom it likes of those that sleep, and says how many.
 *   - A death may come at any step. A dead one sleeps no more; it stays counted as a waiter.
 *   - A sleeper looks after a while, whatever happens: here, when nothing else moves.
 *
 * Left out: the turn of the generation after 2^31 Sets, and of the waiters after 2^32 deaths; waits for several.
 *
 * Variants, by ROLES, who the three processes are: 1, one that sets three times, and two that wait; 2, two that set
 * twice and once, and one that waits twice; 3, one that sets, one that resets, both twice, and one that waits; 4, one
 * that sets twice, and two that wait, of which one may give up; 5, one that sets twice and resets after each, and two
 * that wait; 6, one that sets once, when one sleeps, and tries then, and two that wait. SET: it is set at first.
 * DEAD: a waiter was killed before. DIES=0: nobody dies; otherwise any one of the three may. Faults that must be found:
 * see run.sh.
 */
#ifndef ROLES
#define ROLES 1
#endif
#define ALL 4       /* the fourth one comes when the others have gone, or sleep for good */
#define NOBODY 9

/* The object. The grants, or with MANUAL the generation, are bits 1 to 31 of the state. */
byte count;
bool isSet;
byte waiters;

/* The kernel: who sleeps on the state. */
bool asleep[ALL];
byte mortal = NOBODY;
bool died;

/* What the clock does: this one wakes up by itself. */
bool looks[ALL];

/* With MANUAL, what a waiter remembers: the first generation that it saw. */
byte first[ALL];

/* For the properties only. */
bool initial;
byte given, taken, tookBack;
bool owed[ALL];
bool isStrict;
byte takenBefore;
bool isQuiet;

/* A death; an option beside each step. */
#define MORTAL mortal == me -> goto gone
#define AVAILABLE (isSet || count > 0)
#define SLEEPERS (asleep[0] || asleep[1] || asleep[2])
#ifdef MANUAL
#define MAY_HAVE(who) (isSet || count != first[who])
#else
#define MAY_HAVE(who) (isSet || count > 0)
#endif
#define SLEEPS_BESIDE(who) (asleep[who] && MAY_HAVE(who))

inline account() {
#ifdef MANUAL
    skip
#else
    assert(taken + count + (isSet -> 1 : 0) + tookBack == given + (initial -> 1 : 0))
#endif
}

/* FUTEX_WAKE: one or, with MANUAL, all; woken says whether there was one. */
inline wake() {
    atomic {
        woken = SLEEPERS;
        if
#if defined(MANUAL) && !defined(BREAK_ALL)
        :: asleep[0] = false; asleep[1] = false; asleep[2] = false
#else
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
        :: asleep[2] -> asleep[2] = false
        :: !woken -> skip
#endif
        fi
    }
}

/* Wakes those that came between the look at the waiters and the exchange. */
inline wakeIfAny() {
    if
    :: MORTAL
    :: waiters == 0 -> skip
    :: waiters != 0 ->
        if
        :: MORTAL
        :: wake()
        fi
    fi
}

#define SEE atomic { sawSet = isSet; sawCount = count }
#define IS_AS_SEEN (isSet == sawSet && count == sawCount)

#ifndef MANUAL
inline set() {
    do
    :: MORTAL
    :: SEE;
        if
        :: MORTAL
        :: sawWaiters = waiters
        fi;
        if
        :: MORTAL
        /* Changes nothing, and mends what a killed setter has left out. An exchange all the same. */
        :: sawSet && IS_AS_SEEN -> wakeIfAny(); break
        :: sawSet && !IS_AS_SEEN -> skip
#ifdef BREAK_GRANTS
        :: !sawSet ->
#else
        :: !sawSet && sawWaiters <= sawCount ->
#endif
            if
            :: MORTAL
            :: atomic { IS_AS_SEEN -> isSet = true; given++; account() }
#ifndef BREAK_SECOND_LOOK
                wakeIfAny();
#endif
                break
            :: !IS_AS_SEEN -> skip
            fi
#ifndef BREAK_GRANTS
        :: !sawSet && sawWaiters > sawCount ->
            if
            :: MORTAL
            :: atomic { IS_AS_SEEN -> count++; given++; account() }
                if
                :: MORTAL
                :: wake()
                fi;
                if
                :: woken -> skip
#ifdef BREAK_BACK
                :: !woken -> skip
#else
                :: !woken -> giveBack()
#endif
                fi;
                break
            :: !IS_AS_SEEN -> skip
            fi
#endif
        fi
    od
}

/* Nobody slept, so nobody was woken for this grant: it becomes the set bit. */
inline giveBack() {
    do
    :: MORTAL
    :: SEE;
        if
        :: MORTAL
#ifdef BREAK_TAKEN
        :: true ->
#else
        :: sawCount == 0 -> break /* it was taken */
        :: sawCount > 0 ->
#endif
            if
            :: MORTAL
            :: atomic {
                    IS_AS_SEEN ->
                    count--;
                    if
                    :: isSet -> given-- /* it is set already, so this Set changes nothing */
                    :: else -> isSet = true
                    fi;
                    account()
                }
                break
            :: !IS_AS_SEEN -> skip
            fi
        fi
    od
}

/* Tries, in one exchange that is made again until it succeeds: who is counted in takes a grant first. */
inline take() {
    atomic {
        got = false;
        if
#ifdef BREAK_ROBBING
        :: count > 0 -> count--; taken++; got = true
        :: count == 0 && isSet -> isSet = false; taken++; got = true
#else
        :: joined && count > 0 -> count--; taken++; got = true
        :: (!joined || count == 0) && isSet -> isSet = false; taken++; got = true
#endif
        :: else -> skip
        fi;
        seenSet = isSet;
        seenCount = count;
        account()
    }
}

/* One that gives up: a grant for which no waiter is left becomes the set bit, and what there is wakes another one. */
inline leave() {
    do
    :: MORTAL
    :: SEE;
        if
        :: MORTAL
        :: sawWaiters = waiters
        fi;
        if
        :: MORTAL
        :: sawSet || sawCount <= sawWaiters -> break
        :: !sawSet && sawCount > sawWaiters ->
            if
            :: MORTAL
            :: atomic { IS_AS_SEEN -> count--; isSet = true; account() }
                break
            :: !IS_AS_SEEN -> skip
            fi
        fi
    od;
    if
    :: MORTAL
    :: AVAILABLE -> wakeIfAny()
    :: !AVAILABLE -> skip
    fi
}

inline reset() {
    if
    :: MORTAL
    :: atomic {
            if
            :: isSet -> isSet = false; tookBack++
            :: else -> skip
            fi;
            account()
        }
    fi
}
#else
inline set() {
    do
    :: MORTAL
    :: SEE;
#ifdef BREAK_SECOND_LOOK
        if
        :: MORTAL
        :: sawWaiters = waiters
        fi;
#endif
        if
        :: MORTAL
        :: sawSet -> break
        :: !sawSet ->
            if
            :: MORTAL
            :: atomic {
                    IS_AS_SEEN ->
#ifndef BREAK_GENERATION
                    count++;
#endif
                    isSet = true
                }
                break
            :: !IS_AS_SEEN -> skip
            fi
        fi
    od;
#ifdef BREAK_SECOND_LOOK
    if
    :: MORTAL
    :: sawWaiters == 0 -> skip
    :: sawWaiters != 0 -> wake()
    fi
#else
    wakeIfAny()
#endif
}

/* Whether it is set, or was set since the first look. */
inline take() {
    atomic {
        if
        :: !looked -> looked = true; first[me] = count
        :: else -> skip
        fi;
        got = MAY_HAVE(me);
        seenSet = isSet;
        seenCount = count;
        if
        :: got -> taken++
        :: else -> skip
        fi
    }
}

inline reset() {
    if
    :: MORTAL
    :: isSet = false
    fi
}
#endif

inline waitFor(mayGiveUp) {
    leaves = false;
    joined = false;
    looked = false;
    if
    :: MORTAL
    :: take()
    fi;
    if
    :: got -> skip
    :: else ->
        if
        :: MORTAL
        :: atomic { waiters++; joined = true }
        fi;
        do
        :: MORTAL
        :: leaves ->
#ifndef BREAK_ONCE_MORE
            take();
#endif
            break
        :: !leaves ->
            take();
            if
            :: got -> break
            :: else ->
                if
                :: MORTAL
#ifdef BREAK_COMPARING
                :: asleep[me] = true
#else
                :: atomic { isSet == seenSet && count == seenCount -> asleep[me] = true }
#endif
endAsleep:          if
                    :: mortal == me -> atomic { asleep[me] = false; goto gone }
                    :: !asleep[me] -> skip
                    /* Also when it was woken meanwhile. */
                    :: mayGiveUp -> atomic { asleep[me] = false; leaves = true }
                    :: looks[me] -> atomic { looks[me] = false; asleep[me] = false }
                    fi
                :: isSet != seenSet || count != seenCount -> skip
                fi
            fi
        od;
        if
        :: MORTAL
        :: atomic { waiters--; joined = false }
        fi;
#ifndef MANUAL
        if
        :: got -> skip
        :: else -> leave()
        fi
#endif
    fi;
    owed[me] = false
}

proctype Process(byte me; byte sets; byte resets; byte waits; bool mayGiveUp) {
    byte sawCount, sawWaiters, seenCount;
    bool sawSet, seenSet, woken, got, leaves, joined, looked;
    byte left = sets;
endFirst:
    if
    :: (ROLES != 1 && ROLES != 6) || me != 0 || asleep[1] -> skip
    fi;
    do
    :: sets > 0 ->
        d_step {
            owed[0] = asleep[0];
            owed[1] = asleep[1];
            owed[2] = asleep[2];
            if
            :: ROLES == 1 && sets == left && asleep[2] -> isStrict = true
            :: else -> skip
            fi
        }
        set();
        sets--;
#if ROLES == 5
        reset()
#elif ROLES == 6
        if
        :: MORTAL
        :: take(); assert(!got)
        fi
#endif
    :: sets == 0 && resets > 0 -> reset(); resets--
    :: sets == 0 && resets == 0 && waits > 0 -> waitFor(mayGiveUp); waits--
    :: sets == 0 && resets == 0 && waits == 0 -> break
    od;
    goto over;
gone:
    died = true;
over:
    skip
}

/* Looks when nothing else moves, which is when all that have not ended sleep. */
proctype Look() {
    do
    :: timeout ->
        atomic {
            if
            :: !died ->
                assert(!SLEEPS_BESIDE(0) && !SLEEPS_BESIDE(1) && !SLEEPS_BESIDE(2));
#ifdef MANUAL
                assert(!(owed[0] && asleep[0]) && !(owed[1] && asleep[1]) && !(owed[2] && asleep[2]));
#else
                /* Who waits is process 1 and 2; who sets has ended. */
                assert(count == 0);
                assert(!isStrict || taken + count + (isSet -> 1 : 0) == 3);
#endif
                isQuiet = true;
                break
            :: died && (SLEEPS_BESIDE(0) || SLEEPS_BESIDE(1) || SLEEPS_BESIDE(2)) ->
                assert(taken >= takenBefore); /* the last look has brought something */
                takenBefore = taken + 1;
                looks[0] = asleep[0];
                looks[1] = asleep[1];
                looks[2] = asleep[2]
            :: else -> isQuiet = true; break
            fi
        }
    od
}

/* Comes after all. */
proctype Last(byte me) {
    byte sawCount, sawWaiters, seenCount, before, waiting;
    bool sawSet, seenSet, woken, got, leaves, joined, looked;
    isQuiet;
    atomic {
        before = taken;
        waiting = (asleep[0] -> 1 : 0) + (asleep[1] -> 1 : 0) + (asleep[2] -> 1 : 0)
    }
    set();
    timeout;
    if
    :: waiting == 0 -> take(); assert(got)
#ifdef MANUAL
    :: waiting > 0 -> assert(taken >= before + waiting && !SLEEPERS)
#else
    /* One that has another round may sleep again. */
    :: waiting > 0 -> assert(taken == before + 1)
#endif
    fi;
    goto over;
gone:
    assert(false);
over:
    skip
}

init {
    atomic {
#ifdef SET
        isSet = true;
        initial = true;
#endif
#ifdef DEAD
        waiters = 1;
#endif
#if !defined(DIES) || DIES
        if
        :: mortal = 0
        :: mortal = 1
        :: mortal = 2
        :: skip
        fi;
#endif
#if ROLES == 1
        run Process(0, 3, 0, 0, false);
        run Process(1, 0, 0, 1, false);
        run Process(2, 0, 0, 1, false);
#elif ROLES == 2
        run Process(0, 2, 0, 0, false);
        run Process(1, 1, 0, 0, false);
        run Process(2, 0, 0, 2, false);
#elif ROLES == 3
        run Process(0, 2, 0, 0, false);
        run Process(1, 0, 2, 0, false);
        run Process(2, 0, 0, 1, false);
#elif ROLES == 4
        run Process(0, 2, 0, 0, false);
        run Process(1, 0, 0, 1, true);
        run Process(2, 0, 0, 1, false);
#elif ROLES == 5
        run Process(0, 2, 0, 0, false);
        run Process(1, 0, 0, 1, false);
        run Process(2, 0, 0, 1, false);
#else
        run Process(0, 1, 0, 0, false);
        run Process(1, 0, 0, 1, false);
        run Process(2, 0, 0, 1, false);
#endif
        run Look();
        run Last(3)
    }
}
