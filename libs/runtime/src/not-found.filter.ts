// Addresses that are not there, in words like every other error's. Nest's own answer has another shape.
import { Catch, NotFoundException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { PROBLEM_TYPE, problemText } from './problem-document.js';

@Catch(NotFoundException)
export class NotFoundFilter implements ExceptionFilter {
  catch(_error: NotFoundException, host: ArgumentsHost): void {
    const problem = { status: 404, code: 'not_found', detail: 'there is nothing at this address' };
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    void reply.status(problem.status).type(PROBLEM_TYPE).send(problemText(problem));
  }
}
