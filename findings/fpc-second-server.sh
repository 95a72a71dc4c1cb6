#!/usr/bin/env bash
# Two servers of one ServerID of Free Pascal's simpleipc share a FIFO without an error, and the first to end removes it
# under the other.
# Guess: the second StartServer fails, as the name is taken; or it becomes the one server.
# Seen (Free Pascal 3.2.2): TMPDIR/ID is the FIFO; each message goes to one of the two, whichever reads first. After the
# end of the first, clients are told that no server runs, while the second waits on.
. "$(dirname "$0")/lib.sh"
version=3.2.2+dfsg-20
unpack fp-compiler-3.2.2=$version fp-units-rtl-3.2.2=$version fp-units-base-3.2.2=$version fp-units-fcl-3.2.2=$version
cat >peer.pas <<'P'
program peer;
{$mode objfpc}{$H+}
uses classes, sysutils, simpleipc;
var
  server: TSimpleIPCServer;
  client: TSimpleIPCClient;
  line: string;
begin
  if paramcount = 0 then begin
    server := TSimpleIPCServer.Create(nil);
    server.ServerID := 'jobs';
    server.Global := true;
    server.StartServer(false);
    writeln('started');
    flush(output);
    readln(line);
    while line = 'look' do begin
      if server.PeekMessage(1000, true) then writeln(server.StringMessage) else writeln('nothing');
      flush(output);
      readln(line);
    end;
    server.Free;
    writeln('ended');
  end else begin
    client := TSimpleIPCClient.Create(nil);
    client.ServerID := 'jobs';
    if not client.ServerRunning then begin
      writeln('no server');
      halt(0);
    end;
    client.Active := true;
    client.SendStringMessage(paramstr(1));
    client.Free;
    writeln('sent');
  end;
end.
P
pascal=$work/root/usr/lib/x86_64-linux-gnu/fpc/3.2.2
"$pascal/ppcx64" -n -v0 -Fu"$pascal/units/x86_64-linux/*" peer.pas >log || cat log
export TMPDIR=$work
mkfifo to-first from-first to-second from-second
timeout 60 ./peer <to-first >from-first 7>&- &
exec 3>to-first 4<from-first
first() { echo "$1" >&3; read -r -t 20 -u 4 line && echo "$line"; }
read -r -t 20 -u 4 line
expect 'first' 'started' "$line"
expect 'the name is' 'fifo' "$(stat -c %F jobs)"
timeout 60 ./peer <to-second >from-second 3>&- &
other=$!
exec 5>to-second 6<from-second
second() { echo "$1" >&5; read -r -t 20 -u 6 line && echo "$line"; }
read -r -t 20 -u 6 line
expect 'second' 'started' "$line"
expect 'client' 'sent' "$(./peer one)"
expect 'second hears' 'one' "$(second look)"
expect 'client' 'sent' "$(./peer two)"
expect 'first hears' 'two' "$(first look)"
expect 'first' 'ended' "$(first end)"
expect 'client' 'no server' "$(./peer three)"
expect 'second hears' 'nothing' "$(second look)"
kill $other
wait $other 2>/dev/null || true
finish
