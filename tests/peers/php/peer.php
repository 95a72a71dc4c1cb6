<?php
// SPDX-License-Identifier: MIT
//
// A PHP program that shares System V segments (shmop) and semaphores (sysvsem). It speaks the line protocol of
// tests/peers/PROTOCOL.md.
//
// sem_get() makes a set of three semaphores, number 0 of which is the semaphore, and refuses a set of one. So PHP
// cannot open a semaphore or a lock that another language has made; the others can open those of PHP.

error_reporting(E_ALL);

final class Failure extends Exception
{
    public function __construct(public string $kind, string $message)
    {
        parent::__construct($message);
    }
}

// What the last call warned of; shmop and sysvsem report nothing else.
$warning = '';
set_error_handler(function (int $level, string $text) use (&$warning): bool {
    $warning = $text;
    return true;
});

function failed(): Failure
{
    global $warning;
    $kind = match (true) {
        str_contains($warning, 'Permission denied') => 'PermissionDenied',
        str_contains($warning, 'File exists') => 'AlreadyExists',
        str_contains($warning, 'No such file') => 'NotFound',
        str_contains($warning, 'No space') => 'OutOfResources',
        default => 'Unknown',
    };
    return new Failure($kind, $warning);
}

function say(string $text): void
{
    fwrite(STDOUT, $text . "\n");
    fflush(STDOUT);
}

function systemVKey(string $text, bool $create): array
{
    if (!preg_match('/^systemv(?:-(\d+))?:([^?#]*)/', $text, $parts))
        throw new Failure('Unsupported', 'only System V keys');
    $path = rawurldecode($parts[2]);
    if ($create && !file_exists($path)) {
        touch($path);
        chmod($path, 0640);
    }
    if (!file_exists($path)) throw new Failure('NotFound', 'no key file');
    $number = ftok($path, chr($parts[1] === '' ? 81 : (int)$parts[1]));
    if ($number === -1) throw failed();
    return [$number, $path];
}

$segments = [];
$semaphores = [];

function lockOf(string $name): SysvSemaphore
{
    global $segments;
    $segments[$name]['lock'] ??= sem_get($segments[$name]['key'], 1, 0600, true) ?: throw failed();
    return $segments[$name]['lock'];
}

function segmentCommand(array $words): string
{
    global $segments;
    [, $verb, $name] = $words;
    if ($verb === 'create' || $verb === 'open') {
        $creates = $verb === 'create';
        [$number, ] = systemVKey($words[3], $creates);
        $writable = $creates || $words[4] === 'rw';
        $made = $creates ? shmop_open($number, 'n', 0600, (int)$words[4])
            : shmop_open($number, $writable ? 'w' : 'a', 0, 0);
        if ($made === false) throw failed();
        $segments[$name] = ['segment' => $made, 'key' => $number, 'writable' => $writable, 'lock' => null];
        return 'ok ' . shmop_size($made) . ($creates ? ' created' : ' opened');
    }
    if ($verb === 'remove') {
        [$number, $path] = systemVKey($name, false);
        $found = shmop_open($number, 'w', 0, 0);
        if ($found !== false) shmop_delete($found);
        $lock = sem_get($number, 1, 0600, true);
        if ($lock !== false) sem_remove($lock);
        unlink($path);
        return $found !== false ? 'ok true' : 'ok false';
    }
    if (!isset($segments[$name])) throw new Failure('Usage', 'no such segment');
    $segment = $segments[$name]['segment'];
    switch ($verb) {
        case 'size':
            return 'ok ' . shmop_size($segment);
        case 'write':
            if (!$segments[$name]['writable']) throw new Failure('PermissionDenied', 'it was attached for reading');
            shmop_write($segment, hex2bin($words[4]), (int)$words[3]);
            return 'ok';
        case 'read':
            return 'ok ' . bin2hex(shmop_read($segment, (int)$words[3], (int)$words[4]));
        case 'add':
            $lock = lockOf($name);
            say('locking');
            $offset = (int)$words[3];
            for ($i = (int)$words[4]; $i > 0; $i--) {
                if (!sem_acquire($lock)) throw failed();
                $number = unpack('L', shmop_read($segment, $offset, 4))[1];
                shmop_write($segment, pack('L', $number + 1), $offset);
                if (!sem_release($lock)) throw failed();
            }
            return 'ok';
        case 'lock':
            $lock = lockOf($name);
            say('locking');
            if (!sem_acquire($lock)) throw failed();
            return 'ok';
        case 'trylock':
            return sem_acquire(lockOf($name), true) ? 'ok true' : 'ok false';
        case 'unlock':
            if (!sem_release(lockOf($name))) throw failed();
            return 'ok';
        case 'close':
            unset($segments[$name]);
            return 'ok';
        default:
            throw new Failure('Unsupported', 'no such command');
    }
}

function semaphoreCommand(array $words): string
{
    global $semaphores;
    [, $verb, $name] = $words;
    if ($verb === 'create' || $verb === 'open') {
        [$number, ] = systemVKey($words[3], $verb === 'create');
        $made = sem_get($number, $verb === 'create' ? (int)$words[4] : 1, 0600, true);
        if ($made === false) throw failed();
        $semaphores[$name] = $made;
        return $verb === 'create' ? 'ok created' : 'ok opened';
    }
    if ($verb === 'remove') {
        [$number, $path] = systemVKey($name, false);
        $found = sem_get($number, 1, 0600, true);
        if ($found !== false) sem_remove($found);
        unlink($path);
        return $found !== false ? 'ok true' : 'ok false';
    }
    if (!isset($semaphores[$name])) throw new Failure('Usage', 'no such semaphore');
    $permits = (int)($words[3] ?? 1);
    switch ($verb) {
        case 'acquire':
            say('acquiring');
            for ($i = 0; $i < $permits; $i++) {
                if (!sem_acquire($semaphores[$name])) throw failed();
            }
            return 'ok';
        case 'tryacquire':
            return sem_acquire($semaphores[$name], true) ? 'ok true' : 'ok false';
        case 'release':
        case 'produce':
            // Only what was acquired can be released: sysvsem counts.
            for ($i = 0; $i < $permits; $i++) {
                if (!sem_release($semaphores[$name])) throw failed();
            }
            return 'ok';
        case 'value':
            return 'ok unknown';
        case 'close':
            unset($semaphores[$name]);
            return 'ok';
        default:
            throw new Failure('Unsupported', 'no such command');
    }
}

if (($argv[1] ?? '') === '--version') {
    foreach (['shmop', 'sysvsem'] as $extension) {
        if (!extension_loaded($extension)) {
            fwrite(STDERR, "the extension $extension is missing\n");
            exit(1);
        }
    }
    say('PHP ' . PHP_VERSION);
    exit(0);
}
while (($line = fgets(STDIN)) !== false) {
    $words = explode(' ', rtrim($line, "\n"));
    $warning = '';
    try {
        switch ($words[0]) {
            case 'shm':
                say(segmentCommand($words));
                break;
            case 'sem':
                say(semaphoreCommand($words));
                break;
            case 'reset':
            case 'quit':
                $segments = $semaphores = [];
                say('ok');
                if ($words[0] === 'quit') exit(0);
                break;
            case 'exit':
                say('ok');
                exit(0);
            default:
                say('error Unsupported no such command');
        }
    } catch (Failure $failure) {
        say('error ' . $failure->kind . ' ' . $failure->getMessage());
    } catch (ValueError | TypeError $failure) {
        say('error Usage ' . $failure->getMessage());
    }
}
