using System.Globalization;
using NativeIpc.NamedObjects;
using Accessor = NativeIpc.NamedObjects.NamedMemoryViewAccessor;
using EventWaitHandle = NativeIpc.NamedObjects.NamedEvent;
using MemoryMappedFile = NativeIpc.NamedObjects.NamedMemory;
using Mutex = NativeIpc.NamedObjects.NamedMutex;
using Semaphore = NativeIpc.NamedObjects.NamedSemaphore;

// Commands, one per line, as tests/peers/PROTOCOL.md has them. H is this program's own name of an open object.
//   sem H NAME INITIAL MAXIMUM   ok CREATED
//   mutex H NAME OWNED           ok CREATED
//   event H NAME SET auto|manual ok CREATED
//   map H NAME SIZE              ok              CreateOrOpen, and a view of all
//   open KIND H NAME             ok              sem, mutex, event or map
//   set H, reset H               ok
//   any H,H... [MS]              acquiring, ok INDEX|timeout|abandoned INDEX
//   anys H,H,H,H SEM MAP         ok N N N        until the last one is ready, and how often each other one was taken:
//                                                a semaphore; an event, for which SEM is released; a mutex, to add one
//                                                to the first number of MAP
//   wait H [MS]                  acquiring, ok true|false|abandoned
//   release H [N]                ok [COUNT]
//   leave H                      ok              a thread of its own takes the mutex and ends
//   read H OFFSET                ok VALUE
//   write H OFFSET VALUE         ok
//   count H MAP N                ok              N times: take the mutex, add one to the first number of the map
//   dispose H                    ok
//   exit                         ok              nothing is disposed
var objects = new Dictionary<string, IDisposable>();
var views = new Dictionary<string, Accessor>();
while (Console.ReadLine() is { } line)
{
    string answer;
    try
    {
        answer = Run(line.Split(' '));
    }
    catch (Exception failure)
    {
        answer = $"error {failure.GetType().Name} {failure.Message.ReplaceLineEndings(" ")}";
    }

    Console.WriteLine(answer);
    if (line == "exit") return 0;
}

return 0;

string Run(string[] words)
{
    bool createdNew;
    switch (words[0])
    {
        case "sem":
            objects.Add(words[1], new Semaphore(Number(words[3]), Number(words[4]), words[2], out createdNew));
            return Answer(createdNew);
        case "mutex":
            objects.Add(words[1], new Mutex(words[3] == "true", words[2], out createdNew));
            return Answer(createdNew);
        case "event":
            EventResetMode mode = words[4] == "auto" ? EventResetMode.AutoReset : EventResetMode.ManualReset;
            objects.Add(words[1], new EventWaitHandle(words[3] == "true", mode, words[2], out createdNew));
            return Answer(createdNew);
        case "set":
            ((EventWaitHandle)objects[words[1]]).Set();
            return "ok";
        case "reset":
            ((EventWaitHandle)objects[words[1]]).Reset();
            return "ok";
        case "any":
            Console.WriteLine("acquiring");
            WaitHandle[] several = [.. words[1].Split(',').Select(one => (WaitHandle)objects[one])];
            try
            {
                int taken = NamedWaitHandle.WaitAny(several, words.Length > 2 ? Number(words[2]) : Timeout.Infinite);
                return taken == WaitHandle.WaitTimeout ? "ok timeout" : $"ok {taken}";
            }
            catch (AbandonedMutexException abandoned)
            {
                return $"ok abandoned {abandoned.MutexIndex}";
            }

        case "anys": return "ok " + TakeAny([.. words[1].Split(',')], words[2], words[3]);
        case "map":
            Keep(words[1], MemoryMappedFile.CreateOrOpen(words[2], Number(words[3])));
            return "ok";
        case "open":
            if (words[1] == "map") Keep(words[2], MemoryMappedFile.OpenExisting(words[3]));
            else
            {
                objects.Add(words[2], words[1] switch
                {
                    "sem" => Semaphore.OpenExisting(words[3]),
                    "event" => EventWaitHandle.OpenExisting(words[3]),
                    _ => Mutex.OpenExisting(words[3]),
                });
            }

            return "ok";
        case "wait":
            Console.WriteLine("acquiring");
            try
            {
                var waited = (WaitHandle)objects[words[1]];
                return Answer(words.Length > 2 ? waited.WaitOne(Number(words[2])) : waited.WaitOne());
            }
            catch (AbandonedMutexException)
            {
                return "ok abandoned";
            }

        case "release":
            if (objects[words[1]] is Semaphore semaphore)
                return $"ok {semaphore.Release(words.Length > 2 ? Number(words[2]) : 1)}";
            ((Mutex)objects[words[1]]).ReleaseMutex();
            return "ok";
        case "leave":
            var thread = new Thread(() => ((Mutex)objects[words[1]]).WaitOne());
            thread.Start();
            thread.Join();
            return "ok";
        case "read": return $"ok {views[words[1]].ReadInt32(Number(words[2]))}";
        case "write":
            views[words[1]].Write(Number(words[2]), Number(words[3]));
            return "ok";
        case "count":
            var mutex = (Mutex)objects[words[1]];
            for (int i = 0; i < Number(words[3]); i++)
            {
                mutex.WaitOne();
                views[words[2]].Write(0, views[words[2]].ReadInt32(0) + 1);
                mutex.ReleaseMutex();
            }

            return "ok";
        case "dispose":
            if (views.Remove(words[1], out Accessor? view)) view.Dispose();
            objects.Remove(words[1], out IDisposable? disposed);
            disposed!.Dispose();
            return "ok";
        case "exit": return "ok";
        default: return $"error Usage {words[0]}";
    }
}

string TakeAny(string[] names, string answers, string map)
{
    WaitHandle[] several = [.. names.Select(one => (WaitHandle)objects[one])];
    int[] taken = new int[several.Length - 1];
    for (int which; (which = NamedWaitHandle.WaitAny(several)) < taken.Length;)
    {
        taken[which]++;
        switch (several[which])
        {
            case EventWaitHandle:
                ((Semaphore)objects[answers]).Release();
                break;
            case Mutex mutex:
                views[map].Write(0, views[map].ReadInt32(0) + 1);
                mutex.ReleaseMutex();
                break;
            default:
                break; // a permit is kept
        }
    }

    return string.Join(' ', taken);
}

void Keep(string name, MemoryMappedFile map)
{
    objects.Add(name, map);
    views.Add(name, map.CreateViewAccessor());
}

static string Answer(bool truth) => truth ? "ok true" : "ok false";

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
