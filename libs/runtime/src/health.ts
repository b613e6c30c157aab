// GET /health/live, /health/ready and /metrics, the same on each service.
import { Controller, Get, Inject, Module, Res, type DynamicModule } from '@nestjs/common';

export interface HealthOptions {
  /** Why the service is not ready, as stable words; empty when it is. */
  readonly ready: () => Promise<string[]>;
  /** The page for Prometheus. */
  readonly metrics: () => Promise<string>;
  readonly contentType: string;
}

/** What is used of Fastify's reply. */
interface Reply {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}

const HEALTH_OPTIONS = Symbol('HealthOptions');
const PROBE_MS = 2_000;

@Controller()
class HealthController {
  constructor(@Inject(HEALTH_OPTIONS) private readonly options: HealthOptions) {}

  /** The process answers; nothing else is asked, so that an outage of Kafka's restarts nobody. */
  @Get('health/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('health/ready')
  async ready(@Res({ passthrough: true }) reply: Reply): Promise<{ status: string; reasons?: string[] }> {
    const reasons = await boundedReasons(this.options.ready);
    if (reasons.length === 0) return { status: 'ok' };
    reply.status(503);
    return { status: 'unavailable', reasons };
  }

  @Get('metrics')
  async metrics(@Res({ passthrough: true }) reply: Reply): Promise<string> {
    const page = await this.options.metrics();
    reply.header('content-type', this.options.contentType);
    return page;
  }
}

/** A probe that hangs or fails is a reason, too. */
async function boundedReasons(ready: () => Promise<string[]>): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string[]>((resolve) => {
    timer = setTimeout(() => resolve(['probe_timed_out']), PROBE_MS);
  });
  try {
    return await Promise.race([ready(), late]);
  } catch {
    return ['probe_failed'];
  } finally {
    clearTimeout(timer);
  }
}

@Module({})
class HealthModule {}

/** The module that a service imports. */
export function healthModule(options: HealthOptions): DynamicModule {
  return {
    module: HealthModule,
    controllers: [HealthController],
    providers: [{ provide: HEALTH_OPTIONS, useValue: options }],
  };
}
