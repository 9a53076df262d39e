"""AdminService: what an operator does with a serving store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from iost.state.v1 import admin_service_pb2 as pb
from iost.state.v1 import admin_service_pb2_grpc as rpc
from state_service import checkpoints, convert, keys
from state_service.backups import Backup, Backups
from state_service.figures import FIGURES
from state_service.model import View
from state_service.server import Context
from state_service.store import Store
from state_service.tree import Block
from state_service.verification import verify_range
from state_service.wholly import Wholly

_EXPORT_PAGE = 1000
"""Entries in one message of an export: small beside the message limit, large beside the cost of a message."""


class AdminServicer(rpc.AdminServiceServicer):
    """Serves `iost.state.v1.AdminService`."""

    def __init__(self, store: Callable[[], Store], checkpoint_dir: Path, backups: Backups) -> None:
        """Takes a way to the open store, the folder below which checkpoints are made, and the open backups."""
        self._store = store
        self._backups = backups
        self._checkpoint_dir = checkpoint_dir
        self._checkpointing = asyncio.Lock()
        self._wholly = Wholly()

    async def GetStats(self, request: pb.GetStatsRequest, context: Context) -> pb.GetStatsResponse:
        """Answers figures of the store."""
        store = self._store()
        named = {figure.name: figure.read(store) for figure in FIGURES} | store.engine.stats()
        return pb.GetStatsResponse(stats=[pb.Stat(name=name, value=named[name]) for name in sorted(named)])

    async def ListBlocks(self, request: pb.ListBlocksRequest, context: Context) -> pb.ListBlocksResponse:
        """Lists live blocks."""
        tree = self._store().tree
        limit = convert.to_page_size(request.page_size)
        blocks = [block for block in tree.blocks() if block.version]
        if request.page_token:
            version, commit_id, _ = convert.from_page_token(request.page_token)
            blocks = [block for block in blocks if (block.version, block.commit_id) > (version, commit_id)]
        page, rest = blocks[:limit], blocks[limit:]
        token = convert.to_page_token(page[-1].version, page[-1].commit_id, b"\0") if rest else ""
        final = tree.final.version
        return pb.ListBlocksResponse(blocks=[_block(block, final) for block in page], next_page_token=token)

    async def CreateCheckpoint(
        self, request: pb.CreateCheckpointRequest, context: Context
    ) -> pb.CreateCheckpointResponse:
        """Writes a consistent copy of the store."""
        label = await self._wholly.do(self._checkpoint(self._store(), request.name))
        return pb.CreateCheckpointResponse(version=label.version, commitment=bytes.fromhex(label.commitment))

    async def _checkpoint(self, store: Store, name: str) -> checkpoints.CheckpointLabel:
        """Makes one checkpoint at a time, to its end: another attempt would clear away what this one writes."""
        async with self._checkpointing:
            return await checkpoints.create(store.engine, store.reader.head(), self._checkpoint_dir, name)

    async def OpenBackup(self, request: pb.OpenBackupRequest, context: Context) -> pb.OpenBackupResponse:
        """Makes a backup, or returns to one."""
        if request.backup_id:
            backup = await self._backups.find(request.backup_id)
        else:
            backup = await self._wholly.do(self._open_backup(self._store()))
        return pb.OpenBackupResponse(
            backup_id=backup.backup_id,
            version=backup.label.version,
            commitment=bytes.fromhex(backup.label.commitment),
            files=[pb.BackupFile(path=path, size_bytes=size) for path, size in backup.files],
            hold_ms=self._backups.hold_ms,
        )

    async def _open_backup(self, store: Store) -> Backup:
        async with self._checkpointing:
            return await self._backups.open(store.engine, store.reader.head())

    async def ReadBackupFile(
        self, request: pb.ReadBackupFileRequest, context: Context
    ) -> AsyncIterator[pb.ReadBackupFileResponse]:
        """Streams a file of a backup."""
        async for data, sha256 in self._backups.read(request.backup_id, request.path, request.offset):
            yield pb.ReadBackupFileResponse(data=data, sha256=sha256)

    async def CloseBackup(self, request: pb.CloseBackupRequest, context: Context) -> pb.CloseBackupResponse:
        """Removes a backup."""
        await self._backups.close(request.backup_id)
        return pb.CloseBackupResponse()

    async def VerifyRange(self, request: pb.VerifyRangeRequest, context: Context) -> pb.VerifyRangeResponse:
        """Recomputes commitments."""
        convert.check_version(request.first_version, "first_version")
        convert.check_version(request.last_version, "last_version")
        store = self._store()
        report = await verify_range(store.tree, store.history, request.first_version, request.last_version)
        return pb.VerifyRangeResponse(
            first_version=report.first_version,
            last_version=report.last_version,
            mismatch_version=report.mismatch_version,
        )

    async def ExportEntries(
        self, request: pb.ExportEntriesRequest, context: Context
    ) -> AsyncIterator[pb.ExportEntriesResponse]:
        """Streams entries below a prefix as of one view."""
        reader = self._store().reader
        block = reader.resolve(convert.to_view(request.view))
        start: bytes | None = request.prefix
        end = keys.prefix_end(request.prefix)
        while start is not None:
            page = await reader.scan(View(block.version, block.commit_id), start, end, _EXPORT_PAGE)
            entries = convert.from_entries([key for key, _ in page.entries], [entry for _, entry in page.entries])
            yield pb.ExportEntriesResponse(entries=entries, version=page.version)
            start = page.next_key


def _block(block: Block, final_version: int) -> pb.Block:
    return pb.Block(
        version=block.version,
        block_id=block.commit_id,
        parent_id=block.parent_id,
        commitment=block.commitment,
        main_chain=block.on_main,
        final=block.version <= final_version,
        write_count=len(block.writes),
        number=block.number,
        time_ns=block.time_ns,
        block_hash=block.summary().block_hash,
    )
